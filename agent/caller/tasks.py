"""Ending background tasks without losing what went wrong in them."""

import asyncio
from collections.abc import Iterable


async def stop(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended.

    Raises:
        Exception: What one of them failed with before it was cancelled.
    """
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
    for task in ending:
        if not task.cancelled():
            task.result()
