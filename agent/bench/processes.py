"""What the services that this process started cost, each with all its own processes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from agent.caller.tasks import stop

_MEGABYTE = 1_000_000
_SAMPLE_SECONDS = 3.0


@dataclass(slots=True)
class Peak:
    """The most memory in a while.

    Attributes:
        before: Megabytes at its beginning.
        most: Megabytes at the most.
    """

    before: float
    most: float

    @property
    def added(self) -> float:
        """What has come on top, in megabytes."""
        return self.most - self.before


class Processes:
    """The children of this process and theirs, by what each was started as."""

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor seconds of each service so far.

        Those of processes that have ended are counted by their parents.
        """
        spent: dict[str, float] = {}
        for name, process in _services():
            with contextlib.suppress(psutil.NoSuchProcess):
                spent[name] = spent.get(name, 0.0) + sum(process.cpu_times()[:4])
        return spent

    def megabytes(self) -> float:
        """Return the memory of all services together, what they share counted once, in MB."""
        held = 0.0
        for _, process in _services():
            with contextlib.suppress(psutil.NoSuchProcess):
                held += _proportional(process)
        return held / _MEGABYTE

    @contextlib.asynccontextmanager
    async def peak(self) -> AsyncIterator[Peak]:
        """Watch the memory while the block runs."""
        begun = await asyncio.to_thread(self.megabytes)
        peak = Peak(begun, begun)

        async def watch() -> None:
            while True:
                await asyncio.sleep(_SAMPLE_SECONDS)
                peak.most = max(peak.most, await asyncio.to_thread(self.megabytes))

        watching = asyncio.create_task(watch())
        try:
            yield peak
        finally:
            await stop([watching])


def _services() -> Iterator[tuple[str, psutil.Process]]:
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            name = service_name(child.cmdline())
            for process in (child, *child.children(recursive=True)):
                yield name, process


def service_name(argv: list[str]) -> str:
    """Return ``engine`` for ``python -m agent engine``, else the name of the program."""
    if "-m" in argv[:-1]:
        module, *arguments = argv[argv.index("-m") + 1 :]
        return arguments[0] if module == "agent" and arguments else module.rpartition(".")[2]
    return argv[0].rpartition("/")[2] if argv else ""


def _proportional(process: psutil.Process) -> float:
    info: Any = process.memory_full_info()
    return float(getattr(info, "pss", info.rss))
