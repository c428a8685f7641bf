"""Asking a LiveKit server again that is too busy to answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from livekit import api

UNAVAILABLE: Final = 503
_RETRY_SECONDS = (0.2, 1.0)

T = TypeVar("T")


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Return the answer to a request that is repeated where the server has no time for it.

    A server answers 503 where none of its nodes claimed the request within a second. A node does
    nothing before its claim is accepted, so that whatever is asked for cannot happen twice (the
    protocol of https://github.com/livekit/psrpc).

    Args:
        ask: Sends the request.

    Raises:
        livekit.api.ServerError: The server refuses, or still has no time.
    """
    for seconds in _RETRY_SECONDS:
        try:
            return await ask()
        except api.ServerError as error:
            if error.status != UNAVAILABLE:
                raise
        await asyncio.sleep(seconds)
    return await ask()
