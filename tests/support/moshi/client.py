"""A WebSocket to a moshi-server, without any of the plugin's code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgpack
from aiohttp import WSMsgType

SOON = 10.0
"""Seconds until what must happen has happened, on a busy machine."""


class Socket:
    """Sends and receives messages."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **fields: Any) -> None:
        await self.socket.send_bytes(msgpack.packb(fields, use_single_float=True))

    async def frame(self) -> aiohttp.WSMessage:
        return await self.socket.receive(timeout=SOON)

    async def message(self) -> dict[str, Any]:
        frame = await self.frame()
        assert frame.type is WSMsgType.BINARY, frame
        found: dict[str, Any] = msgpack.unpackb(frame.data)
        return found


@asynccontextmanager
async def opened(
    url: str, key: str | None, **options: Any
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """Connect with a key, or with none; the options are aiohttp's."""
    headers = {} if key is None else {"kyutai-api-key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers, autoclose=False, **options) as socket,
    ):
        yield socket
