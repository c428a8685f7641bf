"""The endpoint ``/v1/audio/transcriptions``: a file in, its words out.

A file is heard as a call is: through the same stream, in frames of the same length, only faster.
"""

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from livekit.plugins.local.engine.loading import Speech
from livekit.plugins.local.engine.openai.catalogue import recogniser_for
from livekit.plugins.local.engine.openai.decoding import AudioReader
from livekit.plugins.local.engine.openai.errors import invalid, missing
from livekit.plugins.local.engine.openai.languages import language_code
from livekit.plugins.local.engine.openai.sse import event, open_events
from livekit.plugins.local.engine.openai.tasks import off_loop
from livekit.plugins.local.engine.openai.transcript import FORMATS, Transcript
from livekit.plugins.local.engine.openai.uploads import Form, Uploads, read_form
from livekit.plugins.local.engine.stt.registry import known_languages
from livekit.plugins.local.engine.stt.stream import Recogniser, SttStream
from livekit.plugins.local.protocol import STT_SAMPLE_RATE, SttStart

# As a caller sends it: 50 ms.
_FRAME_BYTES = 2 * STT_SAMPLE_RATE // 20


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the fields of a form ask for."""

    model: str
    language: str | None
    languages: list[str]
    format: str
    events: bool


async def transcribe(request: web.Request, speech: Speech, uploads: Uploads) -> web.StreamResponse:
    """Answer one request.

    Raises:
        ApiError: The request says what it may not, or its file is not audio.
        EngineError: The model is not ready, is overloaded, or failed.
    """
    # Whoever cannot be heard yet need not upload.
    speech.recogniser()
    with uploads.opened() as hold:
        form = await read_form(request, hold)
        wanted = _parse(form)
        recogniser = recogniser_for(speech, wanted.model)
        if not form.file:
            raise invalid("file", "is empty")
        spoken = known_languages(recogniser.model, speech.synthesizer.voices.languages)
        candidates = wanted.languages or spoken or ["en"]
        start = SttStart(candidates, wanted.language, interim=False)
        transcript = await _hear(form.file, recogniser, start)
    if not wanted.events:
        return transcript.response(wanted.format)
    response = await open_events(request)
    if transcript.text:
        await response.write(event({"type": "transcript.text.delta", "delta": transcript.text}))
    await response.write(event({"type": "transcript.text.done", **transcript.as_json()}))
    await response.write_eof()
    return response


async def _hear(data: bytearray, recogniser: Recogniser, start: SttStart) -> Transcript:
    finals: list[dict[str, Any]] = []

    async def emit(message: dict[str, Any]) -> None:
        if message["type"] == "final":
            finals.append(message)

    reader = AudioReader(data)
    stream = SttStream(recogniser, start, emit)
    try:
        while pcm := await off_loop(reader.read):
            for at in range(0, len(pcm), _FRAME_BYTES):
                await stream.feed(pcm[at : at + _FRAME_BYTES])
        await stream.flush(0)
    finally:
        await stream.aclose()
        reader.close()
    return Transcript(
        text=" ".join(final["text"] for final in finals if final["text"]),
        language=finals[-1]["language"],
        confidence=min(final["confidence"] for final in finals),
        start=finals[0]["start"],
        end=finals[-1]["end"],
        seconds=round(reader.seconds, 3),
    )


def _parse(form: Form) -> _Wanted:
    model, language = form.get("model"), form.get("language")
    if not model:
        raise missing("model")
    name = form.get("response_format") or FORMATS[0]
    if name not in FORMATS:
        raise invalid("response_format", f"is {name[:40]!r}; it can be {', '.join(FORMATS)}")
    if "word" in form.fields.get("timestamp_granularities", []):
        raise invalid("timestamp_granularities", "asks for words, whose times are not known here")
    if temperature := form.get("temperature"):
        _check_temperature(temperature)
    return _Wanted(
        model=model,
        language=language_code(language, "language") if language else None,
        languages=[
            language_code(code, "languages") for code in form.fields.get("languages", []) if code
        ],
        format=name,
        events=(form.get("stream") or "").lower() in ("true", "1"),
    )


def _check_temperature(value: str) -> None:
    """Refuse what OpenAI refuses; the search here is deterministic and needs none."""
    try:
        valid = 0.0 <= float(value) <= 1.0
    except ValueError:
        valid = False
    if not valid:
        raise invalid("temperature", "is not a number from 0 to 1")
