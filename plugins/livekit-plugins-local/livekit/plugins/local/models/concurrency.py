"""Threads, locks and parallel transfers that behave under cancellation."""

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, ParamSpec, TypeVar

from .overhearing import MOST_BYTES, overhearing, tell

P = ParamSpec("P")
T = TypeVar("T")


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
        registry: Where those who wait listen.
    """

    def __init__(self, file: IO[bytes], registry: Path) -> None:
        self._file = file
        self._registry = registry

    def say(self, message: str) -> None:
        """Tell those who wait, and who will; a disk that is full just then is no reason to stop."""
        record = message.encode()[:MOST_BYTES].ljust(MOST_BYTES)
        with contextlib.suppress(OSError):
            os.pwrite(self._file.fileno(), record, 0)
            tell(self._registry, record)


@asynccontextmanager
async def locked(path: Path, on_wait: Callable[[str], None] | None = None) -> AsyncIterator[Lock]:
    """Hold a lock among all processes of this machine; its holder's death frees it.

    Args:
        path: The lock's file; created when missing, never removed.
        on_wait: Told what the holder says, as long as another process holds it.
    """
    file = await in_thread(_open, path)
    registry = path.with_suffix(".waiting")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        await _wait_and_hear(file, registry, on_wait or (lambda _: None))
    with file:
        os.ftruncate(file.fileno(), 0)
        yield Lock(file, registry)


async def _wait_and_hear(file: IO[bytes], registry: Path, on_wait: Callable[[str], None]) -> None:
    def hear(record: bytes) -> None:
        on_wait(record.decode(errors="replace").strip())

    with overhearing(registry, hear):
        # What was said last before we listened.
        hear(os.pread(file.fileno(), MOST_BYTES, 0))
        await _wait_for_lock(file)


async def _wait_for_lock(file: IO[bytes]) -> None:
    """Return when the lock is ours; if cancelled before, close the file, now or once it is.

    The kernel's wait cannot be cut short. So a thread that nobody waits for sits it out, and if we
    are cancelled, it lets go of the lock as soon as it has it.
    """
    loop = asyncio.get_running_loop()
    taken: asyncio.Future[None] = loop.create_future()

    def settle(error: OSError | None) -> None:
        if taken.cancelled() or error:
            file.close()
        if error and not taken.cancelled():
            taken.set_exception(error)
        elif not taken.cancelled():
            taken.set_result(None)

    def take() -> None:
        failure = None
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            failure = error
        try:
            loop.call_soon_threadsafe(settle, failure)
        except RuntimeError:  # the loop was closed meanwhile
            file.close()

    threading.Thread(target=take, daemon=True, name=f"lock {file.name}").start()
    try:
        await taken
    except asyncio.CancelledError:
        if not taken.cancelled():  # it came at the same moment
            file.close()
        raise


def _open(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
