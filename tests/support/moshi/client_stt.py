"""A client of a moshi-server's ear, without any of the plugin's code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
from aiohttp import WSMsgType

from tests.conformance.kit import tones
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.client import Socket, opened
from tests.support.moshi.fake_stt import PATH
from tests.support.moshi.running_stt import Moshi


class Client(Socket):
    """One connection."""

    async def say(self, *parts: tones.Samples) -> None:
        for part in parts:
            await self.send(type="Audio", pcm=part.tolist())

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages up to the next one of a kind."""
        messages = [await self.message()]
        while messages[-1]["type"] != kind:
            messages.append(await self.message())
        return messages

    async def words(self, count: int) -> list[dict[str, Any]]:
        """Return the messages up to so many words."""
        messages: list[dict[str, Any]] = []
        while len(text_of(messages).split()) < count:
            messages.append(await self.message())
        return messages

    async def dropped(self) -> None:
        """Demand that the server drops the line, without a Close."""
        while (frame := await self.frame()).type is WSMsgType.BINARY:
            assert msgpack.unpackb(frame.data)["type"] != "Error"
        assert frame.type is WSMsgType.CLOSED, frame


@asynccontextmanager
async def connected(
    moshi: Moshi, query: str = "", key: str | None = API_KEY
) -> AsyncIterator[Client]:
    """Connect, until the block ends."""
    async with opened(moshi.address + PATH + query, key) as socket:
        yield Client(socket)


def text_of(messages: list[dict[str, Any]]) -> str:
    """Return the words of messages."""
    return " ".join(message["text"].strip() for message in messages if message["type"] == "Word")
