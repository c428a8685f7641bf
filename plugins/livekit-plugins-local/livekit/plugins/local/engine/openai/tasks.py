"""Work for a client that may leave, and work for threads."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

T = TypeVar("T")

# The server does not tell a handler that its client has left; looking is cheap.
_LOOK_SECONDS = 0.05


async def while_connected(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` and return its result; cancel it as soon as the client is gone.

    Raises:
        ConnectionResetError: The client went away.
    """
    task = asyncio.create_task(work)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
            if not task.done() and _gone(request):
                raise ConnectionResetError("the client went away")
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def off_loop(work: Callable[[], T]) -> T:
    """Run ``work`` on a thread.

    A cancelled caller waits until the thread has finished: what the thread used can be closed then.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        running.cancelled() or running.exception()
        raise


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
