"""Waiting for a process that a benchmark has started."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from agent.errors import UserError
from agent.up.children import Child


async def until_ready(child: Child, ready: Coroutine[Any, Any, None], name: str) -> None:
    """Wait until a process can serve.

    Args:
        child: The process.
        ready: Returns when it can, or raises what keeps it from that.
        name: What to call it.

    Raises:
        UserError: It ended.
    """
    ended, waiting = asyncio.create_task(child.wait()), asyncio.create_task(ready)
    try:
        await asyncio.wait({ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise UserError(f"The {name} ended: {child.last_line}")
        waiting.result()
    finally:
        for task in (ended, waiting):
            task.cancel()
        await asyncio.wait({ended, waiting})
