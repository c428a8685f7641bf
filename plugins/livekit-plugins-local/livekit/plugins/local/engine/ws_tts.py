"""The endpoint ``/v1/tts/stream``; see `livekit.plugins.local.protocol`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

from aiohttp import WSMsgType, web
from livekit.plugins.local.engine.speaking import Playback, speak_clause
from livekit.plugins.local.engine.text.cutting import cut_short
from livekit.plugins.local.engine.text.segmenter import Segmenter, pause_after
from livekit.plugins.local.engine.timing.clock import Clock
from livekit.plugins.local.engine.tts.base import Phoneme
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.engine.ws import parse
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE, ProtocolError, TtsStart, encode

Clauses = asyncio.Queue[str | None]


async def serve_tts(
    socket: web.WebSocketResponse, message: dict[str, Any], synthesizer: Synthesizer
) -> None:
    """Speak one stream of text until it is all said or the client goes away.

    Raises:
        EngineError: The voice is unknown, or its engine failed.
        ProtocolError: The client sent what it may not.
    """
    start = _start(message)
    synthesizer.voices.resolve(start.voice, start.language)
    await socket.send_str(encode({"type": "ready", "sample_rate": TTS_SAMPLE_RATE}))
    clauses: Clauses = asyncio.Queue()
    reader = asyncio.create_task(_read(socket, Segmenter(start.language), clauses))
    speaker = asyncio.create_task(_speak(socket, start, clauses, synthesizer))
    try:
        done, _ = await asyncio.wait({reader, speaker}, return_when=asyncio.FIRST_COMPLETED)
        # The reader ends first only when the client left or broke the protocol.
        (speaker if speaker in done else reader).result()
    finally:
        # A client that closed has been interrupted: synthesis stops here and now.
        for task in (reader, speaker):
            task.cancel()
        await asyncio.gather(reader, speaker, return_exceptions=True)


async def _read(socket: web.WebSocketResponse, segmenter: Segmenter, clauses: Clauses) -> None:
    """Cut the text into clauses; return when the client closes."""
    ended = False
    async for frame in socket:
        if frame.type is WSMsgType.ERROR:
            return
        content = parse(frame)
        kind = content["type"] if isinstance(content, dict) else "audio"
        if ended or kind not in ("text", "flush", "end"):
            raise ProtocolError(f"{kind!r} was not expected in this stream")
        text = content.get("text", "") if isinstance(content, dict) else ""
        found = segmenter.push(str(text)) if kind == "text" else segmenter.flush()
        for clause in found:
            clauses.put_nowait(clause)
        if kind == "end":
            ended = True
            clauses.put_nowait(None)


async def _speak(
    socket: web.WebSocketResponse, start: TtsStart, clauses: Clauses, synthesizer: Synthesizer
) -> None:
    pause = 0.0
    playback = Playback()
    clock = Clock(TTS_SAMPLE_RATE, start.language, start.speed)
    async for clause in _affordable(clauses, start, synthesizer, playback):
        await socket.send_str(encode({"type": "segment", "text": clause}))
        told: list[Phoneme] = []
        speech = speak_clause(synthesizer, start, clause, pause, playback.due, told)
        async with aclosing(speech) as audio, aclosing(clock.timed(clause, audio, told)) as parts:
            async for part in parts:
                if isinstance(part, bytes):
                    playback.play(part)
                    await socket.send_bytes(part)
                else:
                    words = [asdict(word) for word in part]
                    await socket.send_str(encode({"type": "words", "words": words}))
        pause = pause_after(clause)
        await socket.send_str(encode({"type": "segment_end"}))
    await socket.send_str(encode({"type": "done"}))


async def _affordable(
    clauses: Clauses, start: TtsStart, synthesizer: Synthesizer, playback: Playback
) -> AsyncGenerator[str, None]:
    """Yield the clauses; what a slow voice could not say in time is cut once more."""
    while (clause := await clauses.get()) is not None:
        while clause:
            pace = synthesizer.pace(
                clause, voice=start.voice, language=start.language, speed=start.speed
            )
            part, clause = cut_short(clause, start.language, playback.affords(pace))
            yield part


def _start(message: dict[str, Any]) -> TtsStart:
    language, voice, speed = (
        message.get("language"),
        message.get("voice"),
        message.get("speed", 1.0),
    )
    if not isinstance(language, str) or not isinstance(voice, str | None):
        raise ProtocolError("language or voice was not a name")
    if not isinstance(speed, int | float) or not 0.5 <= speed <= 2.0:
        raise ProtocolError("speed was not between 0.5 and 2")
    return TtsStart(language=language, voice=voice, speed=float(speed))
