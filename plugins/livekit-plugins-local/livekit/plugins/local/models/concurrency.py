"""Threads, locks and parallel transfers that behave under cancellation."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

LOCK_POLL_SECONDS = 0.1
# What a holder says is a line of JSON in one write.
_RECORD_BYTES = 1024


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


class Lock:
    """A lock that is held; whoever waits for it reads what its holder says.

    Args:
        file: The open file of the lock.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def say(self, message: str) -> None:
        """Tell those who wait; a disk that is full just then is no reason to stop."""
        record = message.encode()[:_RECORD_BYTES].ljust(_RECORD_BYTES)
        with contextlib.suppress(OSError):
            os.pwrite(self._file.fileno(), record, 0)


@asynccontextmanager
async def locked(path: Path, on_wait: Callable[[str], None] | None = None) -> AsyncIterator[Lock]:
    """Hold a lock among all processes of this machine; its holder's death frees it.

    Args:
        path: The lock's file; created when missing, never removed.
        on_wait: Told what the holder says, as long as another process holds it.
    """
    with await in_thread(_open, path) as file:
        said = b""
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                message = os.pread(file.fileno(), _RECORD_BYTES, 0)
                if on_wait and message != said:
                    said = message
                    on_wait(message.decode(errors="replace").strip())
                # The kernel has no wait that a coroutine could cancel.
                await asyncio.sleep(LOCK_POLL_SECONDS)
        os.ftruncate(file.fileno(), 0)
        yield Lock(file)


def _open(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
