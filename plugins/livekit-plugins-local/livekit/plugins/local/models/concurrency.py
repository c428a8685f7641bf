"""Threads, locks and parallel transfers that behave under cancellation."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOCK_POLL_SECONDS = 0.1


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work on a thread; when cancelled, wait for it before giving up.

    A thread cannot be stopped, and it must not go on writing after the lock over its file is gone.
    """
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.gather(work, return_exceptions=True)
        raise


async def for_each(
    items: Iterable[T], function: Callable[[T], Awaitable[None]], *, limit: int
) -> None:
    """Apply ``function`` to every item, ``limit`` at a time; one failure stops the others.

    Raises:
        Exception: What the first failure raised.
    """
    gate = asyncio.Semaphore(limit)

    async def gated(item: T) -> None:
        async with gate:
            await function(item)

    tasks = [asyncio.ensure_future(gated(item)) for item in items]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold a lock among all processes of this machine; its holder's death frees it.

    Args:
        path: The lock's file; created when missing, never removed.
    """
    with await in_thread(path.open, "ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # The kernel has no wait that a coroutine could cancel.
                await asyncio.sleep(LOCK_POLL_SECONDS)
        yield
