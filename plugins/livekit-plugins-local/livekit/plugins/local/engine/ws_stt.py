"""The endpoint ``/v1/stt/stream``; see `livekit.plugins.local.protocol`."""

from typing import Any

from aiohttp import WSMsgType, web
from livekit.plugins.local.engine.stt.stream import Recogniser, SttStream
from livekit.plugins.local.engine.ws import parse
from livekit.plugins.local.protocol import STT_SAMPLE_RATE, ProtocolError, SttStart, encode


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
    try:
        async for frame in socket:
            if frame.type is WSMsgType.ERROR:
                return
            content = parse(frame)
            if isinstance(content, bytes):
                if len(content) % 2:
                    raise ProtocolError("an audio frame had an odd number of bytes")
                await stream.feed(content)
            elif content["type"] == "flush":
                await stream.flush(int(content.get("id", 0)))
            elif content["type"] == "end":
                return
            else:
                raise ProtocolError(f"{content['type']!r} is not a message of this stream")
    finally:
        await stream.aclose()


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
        languages=languages, language=language, interim=bool(message.get("interim", True))
    )
