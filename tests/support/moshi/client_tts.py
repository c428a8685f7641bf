"""A client of a moshi-server's voice, without any of the plugin's code."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgpack
import numpy as np
from aiohttp import WSMsgType

from tests.conformance.kit import tones
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.client import Socket, opened
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.running import Moshi

TEXT = tones.statement(5)


class Client(Socket):
    """One connection."""

    async def rest(self) -> list[dict[str, Any]]:
        """Return all messages until the server's Close, which must come, and is empty."""
        messages = []
        while (frame := await self.frame()).type is WSMsgType.BINARY:
            messages.append(msgpack.unpackb(frame.data))
        assert (frame.type, frame.data, frame.extra) == (WSMsgType.CLOSE, 0, "")
        return messages

    async def speak(self, text: str) -> list[dict[str, Any]]:
        """Have a text spoken; return what came after Ready."""
        await self.send(type="Text", text=text)
        await self.send(type="Eos")
        assert await self.message() == {"type": "Ready"}
        return await self.rest()


@asynccontextmanager
async def connected(
    moshi: Moshi, query: str = "?format=PcmMessagePack", key: str | None = API_KEY
) -> AsyncIterator[Client]:
    """Connect, until the block ends."""
    async with opened(
        moshi.address + PATH + query,
        key,
        max_msg_size=0,
        # A server whose model is stuck does not say goodbye.
        timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
    ) as socket:
        yield Client(socket)


def samples(messages: list[dict[str, Any]]) -> tones.Samples:
    """Return the audio of messages."""
    parts = [message["pcm"] for message in messages if message["type"] == "Audio"]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float32)


def spoken(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the messages that are about a word."""
    return [message for message in messages if message["type"] == "Text"]
