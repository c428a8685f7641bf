"""The endpoint ``/v1/tts/stream``; see `livekit.plugins.local.protocol`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from functools import partial
from typing import Any

from aiohttp import WSMsgType, web
from livekit.plugins.local.engine.outbox import Outbox
from livekit.plugins.local.engine.pacing import Pace, Playback, Script, head_start
from livekit.plugins.local.engine.speaking import speak_clause
from livekit.plugins.local.engine.text.cutting import cut_short
from livekit.plugins.local.engine.text.segmenter import pause_after
from livekit.plugins.local.engine.timing.clock import Clock
from livekit.plugins.local.engine.tts.base import Phoneme
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.engine.writing import Writing
from livekit.plugins.local.engine.ws import parse
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE, ProtocolError, TtsStart, encode


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
    playback = Playback()
    writing = Writing(start.language, _pace(start, synthesizer))
    script = Script(lambda: writing.hurry(begun=playback.begun))
    reader = asyncio.create_task(_read(socket, writing, script))
    speaker = asyncio.create_task(_speak(socket, start, script, playback, synthesizer))
    try:
        done, _ = await asyncio.wait({reader, speaker}, return_when=asyncio.FIRST_COMPLETED)
        # The reader ends first only when the client left or broke the protocol.
        (speaker if speaker in done else reader).result()
    finally:
        # A client that closed has been interrupted: synthesis stops here and now.
        for task in (reader, speaker):
            task.cancel()
        await asyncio.gather(reader, speaker, return_exceptions=True)


def _pace(start: TtsStart, synthesizer: Synthesizer) -> Pace:
    return partial(synthesizer.pace, voice=start.voice, language=start.language, speed=start.speed)


async def _read(socket: web.WebSocketResponse, writing: Writing, script: Script) -> None:
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
        script.grow(writing.push(str(text)) if kind == "text" else writing.flush())
        if kind == "end":
            ended = True
            script.end()


async def _speak(
    socket: web.WebSocketResponse,
    start: TtsStart,
    script: Script,
    playback: Playback,
    synthesizer: Synthesizer,
) -> None:
    async with Outbox(socket) as outbox:
        await _speak_into(outbox, start, script, playback, synthesizer)


async def _speak_into(
    outbox: Outbox,
    start: TtsStart,
    script: Script,
    playback: Playback,
    synthesizer: Synthesizer,
) -> None:
    pause = 0.0
    clock = Clock(TTS_SAMPLE_RATE, start.language, start.speed)
    pace = _pace(start, synthesizer)
    async for clause in _affordable(script, start.language, pace, playback):
        await outbox.put(encode({"type": "segment", "text": clause}))
        told: list[Phoneme] = []
        speech = speak_clause(synthesizer, start, clause, pause, playback.due, told)
        async with aclosing(speech) as audio, aclosing(clock.timed(clause, audio, told)) as parts:
            async for part in parts:
                if isinstance(part, bytes):
                    delay = 0.0
                    if not playback.begun:
                        seconds = len(part) / (2 * TTS_SAMPLE_RATE)
                        delay = head_start(clause, seconds, script.known, start.language, pace)
                        outbox.hold(delay)
                    playback.play(part, delay)
                    await outbox.put(part)
                else:
                    words = [asdict(word) for word in part]
                    await outbox.put(encode({"type": "words", "words": words}))
        pause = pause_after(clause)
        await outbox.put(encode({"type": "segment_end"}))
    await outbox.put(encode({"type": "done"}))


async def _affordable(
    script: Script, language: str, pace: Pace, playback: Playback
) -> AsyncGenerator[str, None]:
    """Yield the clauses; what a slow voice could not say in time is cut once more."""
    while (clause := await script.take(playback.hurry_at)) is not None:
        while clause:
            part, clause = cut_short(clause, language, playback.affords(pace(clause)))
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
