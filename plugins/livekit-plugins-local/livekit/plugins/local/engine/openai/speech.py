"""The endpoint ``/v1/audio/speech``: text in, audio out while it is being made."""

import base64
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial

from aiohttp import web
from livekit.plugins.local.engine.openai.catalogue import choose_voice
from livekit.plugins.local.engine.openai.encoding import CONTENT_TYPES, make_encoder
from livekit.plugins.local.engine.openai.errors import as_api_error
from livekit.plugins.local.engine.openai.speech_request import SpeechRequest, read_speech_request
from livekit.plugins.local.engine.openai.sse import event, open_events
from livekit.plugins.local.engine.openai.tasks import off_loop
from livekit.plugins.local.engine.speaking import speak_clause
from livekit.plugins.local.engine.text.segmenter import Segmenter, pause_after
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE, TtsStart

# What a text without a single letter sounds like: an empty file would be no audio to many players.
_NOTHING = bytes(2 * round(0.1 * TTS_SAMPLE_RATE))
# A voice may hand over a whole clause; its first half second goes out while the rest is encoded.
_PIECE_BYTES = TTS_SAMPLE_RATE
_SLICE = 1000
# Nothing is billed here, but clients look for the figures.
_DONE = {
    "type": "speech.audio.done",
    "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
}

_log = logging.getLogger(__name__)


async def speak(request: web.Request, synthesizer: Synthesizer) -> web.StreamResponse:
    """Answer one request.

    A failure before the first audio is an ordinary error; one after it breaks the answer off, so
    that no client takes half a text for all of it.

    Raises:
        ApiError: The request says what it may not.
        EngineError: The voice is unknown or not ready, or it failed before the first audio.
    """
    wanted = await read_speech_request(request)
    voice = choose_voice(synthesizer, wanted.model, wanted.voice, wanted.language)
    start = TtsStart(voice.language, f"{voice.engine}/{voice.voice}", wanted.speed)
    pcm = _speak(wanted.text, start, synthesizer)
    async with aclosing(pcm), aclosing(_encode(pcm, wanted.format)) as audio:
        first = await anext(audio)
        response = await _open(request, wanted)
        try:
            await response.write(_frame(first, wanted))
            async for data in audio:
                await response.write(_frame(data, wanted))
            if wanted.events:
                await response.write(event(_DONE))
            await response.write_eof()
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - too late for a status, whatever it is
            await _break_off(request, response, error, wanted)
    return response


async def _speak(
    text: str, start: TtsStart, synthesizer: Synthesizer
) -> AsyncGenerator[bytes, None]:
    pause = 0.0
    spoken = False
    for clause in _clauses(text, start.language):
        async with aclosing(speak_clause(synthesizer, start, clause, pause)) as audio:
            async for pcm in audio:
                spoken = True
                yield pcm
        pause = pause_after(clause)
    if not spoken:
        yield _NOTHING


def _clauses(text: str, language: str) -> Iterator[str]:
    """Cut a text into clauses as they are needed: all of a long one would take too long at once."""
    segmenter = Segmenter(language)
    for at in range(0, len(text), _SLICE):
        yield from segmenter.push(text[at : at + _SLICE])
    yield from segmenter.flush()


async def _encode(pcm: AsyncGenerator[bytes, None], name: str) -> AsyncGenerator[bytes, None]:
    encoder = await off_loop(partial(make_encoder, name))
    try:
        async for chunk in pcm:
            for at in range(0, len(chunk), _PIECE_BYTES):
                piece = chunk[at : at + _PIECE_BYTES]
                if data := await off_loop(partial(encoder.encode, piece)):
                    yield data
        if data := await off_loop(encoder.finish):
            yield data
    finally:
        encoder.close()


async def _open(request: web.Request, wanted: SpeechRequest) -> web.StreamResponse:
    if wanted.events:
        return await open_events(request)
    response = web.StreamResponse()
    response.content_type = CONTENT_TYPES[wanted.format]
    await response.prepare(request)
    return response


def _frame(data: bytes, wanted: SpeechRequest) -> bytes:
    if not wanted.events:
        return data
    return event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})


async def _break_off(
    request: web.Request, response: web.StreamResponse, error: Exception, wanted: SpeechRequest
) -> None:
    """End an answer without its end."""
    refusal = as_api_error(error)
    _log.warning("speech was broken off: %s", refusal.message)
    if wanted.events:
        await response.write(event(refusal.body))
    if request.transport:
        request.transport.close()
