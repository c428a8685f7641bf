"""What a check is, and what goes on around it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TypeVar, cast

from agent.doctor.finding import Finding
from agent.settings import Settings

T = TypeVar("T")
Run = Callable[[Settings], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: What the report calls it.
        run: Examines one thing. It may raise an error for people, whose sentence is then the
            finding, and takes no longer than ``deadline``. ``module:name`` is imported when it is
            needed: the libraries of some take seconds, which nobody should wait for in vain.
        needs: Checks that must not have failed; without them this one could only fail likewise.
        deadline: Seconds.
        alone: Whether it measures speed, so that nothing else of ours may go on meanwhile.
    """

    name: str
    run: Run | str
    needs: tuple[str, ...] = ()
    deadline: float = 3.0
    alone: bool = False

    async def loaded(self) -> Run:
        """Return what examines, imported without holding up the other checks."""
        where = self.run
        if not isinstance(where, str):
            return where
        return cast(Run, await in_daemon(lambda: resolve_name(where)))


def blocking(examine: Callable[[Settings], Finding]) -> Run:
    """Make a check of a function that asks the operating system."""

    async def run(settings: Settings) -> Finding:
        return await in_daemon(lambda: examine(settings))

    return run


async def in_daemon(work: Callable[[], T]) -> T:
    """Run ``work`` on a thread that the end of the process does not wait for.

    A system call on a dead network disk may never return; a pool's threads would hold us up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def work_and_tell() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - handed on to whoever waits
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work_and_tell, daemon=True, name="doctor").start()
    return await done
