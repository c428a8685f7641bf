"""A client of moshi-server as a widely copied recipe has it: what the plugin is measured beside.

It waits half a second for messages that were left by somebody else, which there are not, and sends
a word every 100 ms, which the model then waits for.
"""

import asyncio
import time
from dataclasses import dataclass

import aiohttp
from livekit.plugins.kyutai import messages

_WORD_SECONDS = 0.1
_PURGE_SECONDS = 0.5
_PURGED = 10


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an utterance took.

    Attributes:
        first: Seconds from its first word to the first audio.
        total: Seconds until all of it had come.
        audio: Its length in seconds.
    """

    first: float
    total: float
    audio: float


async def speak_by_recipe(url: str, api_key: str, voice: str | None, text: str) -> Timing:
    """Have a text spoken.

    Args:
        url: Address of the server, ``http://HOST:PORT``.
        api_key: One of its keys.
        voice: Name of a voice; None is the server's default.
        text: What to say.

    Raises:
        aiohttp.ClientError: The server cannot be reached, or refused.
        TimeoutError: It fell silent.
    """
    began = time.perf_counter()
    query = {"format": "PcmMessagePack", "auth_id": api_key} | ({"voice": voice} if voice else {})
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{url}/api/tts_streaming", params=query, headers={"kyutai-api-key": api_key}
        ) as socket,
    ):
        await _purge(socket)
        sending = asyncio.create_task(_send(socket, text))
        first: float | None = None
        samples = 0
        while (frame := await socket.receive(10.0)).type is aiohttp.WSMsgType.BINARY:
            message = messages.decode(frame.data)
            if isinstance(message, messages.Audio):
                first = first or time.perf_counter() - began
                samples += len(message.samples)
        await sending
    total = time.perf_counter() - began
    return Timing(first if first is not None else total, total, samples / 24_000)


async def _purge(socket: aiohttp.ClientWebSocketResponse) -> None:
    for _ in range(_PURGED):
        try:
            await asyncio.wait_for(socket.receive(), _PURGE_SECONDS)
        except TimeoutError:
            return


async def _send(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
    for word in text.split():
        await socket.send_bytes(messages.text(word))
        await asyncio.sleep(_WORD_SECONDS)
    await socket.send_bytes(messages.eos())
