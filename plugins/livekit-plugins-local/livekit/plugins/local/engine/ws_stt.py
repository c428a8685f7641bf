"""The endpoint ``/v1/stt/stream``; see `livekit.plugins.local.protocol`."""

import asyncio
from typing import Any

from aiohttp import WSMsgType, web
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.stream import SttStream
from livekit.plugins.local.engine.ws import parse
from livekit.plugins.local.protocol import (
    STT_PATIENCE,
    STT_SAMPLE_RATE,
    ProtocolError,
    SttStart,
    encode,
)

# Frames read ahead while an utterance is decoded; then the client has to wait.
_BACKLOG = 256

_Frames = asyncio.Queue[bytes | dict[str, Any]]


async def serve_stt(
    socket: web.WebSocketResponse, message: dict[str, Any], recogniser: Recogniser
) -> None:
    """Run one speech-to-text stream until the client ends it or goes away.

    Raises:
        EngineError: The model failed or is overloaded.
        ProtocolError: The client sent what it may not.
    """
    start = _start(message)

    async def emit(body: dict[str, Any]) -> None:
        await socket.send_str(encode(body))

    stream = SttStream(recogniser, start, emit)
    await emit({"type": "ready", "model": recogniser.model.name})
    frames: _Frames = asyncio.Queue(_BACKLOG)
    # Read on during a decode: the work for a client that has gone is dropped at once.
    reading = asyncio.create_task(_read(socket, frames))
    hearing = asyncio.create_task(_hear(stream, frames))
    try:
        done, _ = await asyncio.wait({reading, hearing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (reading, hearing):
            task.cancel()
        await asyncio.gather(reading, hearing, return_exceptions=True)
        await stream.aclose()


async def _read(socket: web.WebSocketResponse, frames: _Frames) -> None:
    """Queue what the client sends, until it goes away."""
    async for frame in socket:
        if frame.type is WSMsgType.ERROR:
            return
        await frames.put(parse(frame))


async def _hear(stream: SttStream, frames: _Frames) -> None:
    """Do what the client asks for, until it has said that nothing more comes."""
    while True:
        content = await frames.get()
        if isinstance(content, bytes):
            if len(content) % 2:
                raise ProtocolError("an audio frame had an odd number of bytes")
            await stream.feed(content)
        elif content["type"] == "flush":
            await stream.flush(int(content.get("id", 0)))
        elif content["type"] == "keyterms":
            stream.expect(_words(content.get("terms")))
        elif content["type"] == "end":
            return
        else:
            raise ProtocolError(f"{content['type']!r} is not a message of this stream")


def _start(message: dict[str, Any]) -> SttStart:
    languages = message.get("languages")
    language = message.get("language")
    if not isinstance(languages, list) or not all(isinstance(code, str) for code in languages):
        raise ProtocolError("languages was not a list of language codes")
    if language is not None and not isinstance(language, str):
        raise ProtocolError("language was not a language code")
    if not languages and not language:
        raise ProtocolError("no language was named")
    if message.get("sample_rate") != STT_SAMPLE_RATE:
        raise ProtocolError(f"sample_rate was not {STT_SAMPLE_RATE}")
    return SttStart(
        languages=languages,
        language=language,
        interim=bool(message.get("interim", True)),
        preflight=bool(message.get("preflight", False)),
        words=bool(message.get("words", False)),
        keyterms=_words(message.get("keyterms", [])),
        patience=_seconds(message.get("patience", STT_PATIENCE)),
    )


def _seconds(value: object) -> float:
    if not isinstance(value, (int, float)) or not value > 0:
        raise ProtocolError("patience was not a number of seconds")
    return float(value)


def _words(terms: object) -> list[str]:
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise ProtocolError("the key terms were not a list of words")
    return [term.strip() for term in terms if term.strip()]
