"""What the checks of both kinds have in common: a plugin, its server, and the proxy between."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from livekit.agents import APIConnectOptions

from tests.conformance.kit import deadlines, tones
from tests.conformance.kit.backend import Backend, Behaviour, Journal
from tests.conformance.kit.ears import Ear
from tests.conformance.kit.proxy import FaultProxy
from tests.conformance.kit.rules import Broken


def options(timeout: float = deadlines.PATIENCE, retries: int = 0) -> APIConnectOptions:
    """Return connection options; by default a failure is final."""
    return APIConnectOptions(max_retry=retries, retry_interval=deadlines.RETRY, timeout=timeout)


@dataclass
class Bench:
    """Where one rule meets one plugin.

    Attributes:
        make: Makes another plugin like the one on the bench.
        server: The server, which misbehaves on demand.
        proxy: Every connection of the plugin goes through it.
        soak: Whether this is the full form of the case, which may take its time.
        change: As of `PluginUnderTest`.
        ear: As of `PluginUnderTest`.
    """

    make: Callable[[], Any]
    server: Backend
    proxy: FaultProxy
    soak: bool = False
    change: Callable[[Any], None] | None = None
    ear: Ear = tones.hear

    async def server_will(self, **behaviour: Any) -> None:
        """Let the server behave so; see `Behaviour`."""
        await self.server.behave(Behaviour(**behaviour))

    async def until(
        self, condition: Callable[[Journal], bool], what: str, within: float = deadlines.LATE
    ) -> Journal:
        """Wait until the server's journal meets a condition, and return it.

        Args:
            condition: Tells whether it does.
            what: What the server did not do, if it never does: "the server never …".
            within: Seconds to wait.

        Raises:
            Broken: It did not in time.
        """
        journal = await self.server.journal()
        try:
            async with asyncio.timeout(within):
                while not condition(journal):
                    await asyncio.sleep(0.005)
                    journal = await self.server.journal()
        except TimeoutError:
            raise Broken(f"the server never {what}; it saw {journal}") from None
        return journal


_SETTLED = 5
"""How many equal counts in a row mean that nothing ends any more."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process holds: tasks, threads and file descriptors."""

    tasks: frozenset["asyncio.Task[Any]"]
    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> "Holdings":
        """Count."""
        process = psutil.Process(os.getpid())
        return cls(frozenset(asyncio.all_tasks()), process.num_threads(), process.num_fds())


@asynccontextmanager
async def nothing_left(within: float = deadlines.LATE, *, threads: int = 0) -> AsyncIterator[None]:
    """Demand that the block leaves no task, thread or file descriptor behind.

    Args:
        within: Seconds after the block in which things may still end.
        threads: How many threads it may leave, such as those of the loop's own pool.

    Raises:
        Broken: It left something.
    """
    before = await _settled()
    yield
    try:
        async with asyncio.timeout(within):
            while left := _left(before, Holdings.now(), threads):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise Broken(f"what was closed left {left}") from None


async def _settled() -> Holdings:
    """Count, once what was closed before has ended: nothing has changed for a moment."""
    counts = [Holdings.now()]
    async with asyncio.timeout(deadlines.PATIENCE):
        while len(counts) < _SETTLED or len(set(counts[-_SETTLED:])) > 1:
            await asyncio.sleep(0.02)
            counts.append(Holdings.now())
    return counts[-1]


def _left(before: Holdings, now: Holdings, threads: int) -> str:
    tasks = [task.get_name() for task in now.tasks - before.tasks if not task.done()]
    if tasks:
        return f"tasks: {', '.join(sorted(tasks))}"
    if now.descriptors > before.descriptors:
        return f"{now.descriptors - before.descriptors} open files or sockets"
    if now.threads > before.threads + threads:
        return f"{now.threads - before.threads} threads"
    return ""
