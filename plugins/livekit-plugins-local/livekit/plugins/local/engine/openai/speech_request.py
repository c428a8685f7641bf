"""What a request to ``/v1/audio/speech`` may say."""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from livekit.plugins.local.engine.openai.encoding import CONTENT_TYPES
from livekit.plugins.local.engine.openai.errors import ApiError, invalid, missing
from livekit.plugins.local.engine.tts.synthesizer import SPEEDS

MAX_CHARACTERS = 32_768
"""Longest text; OpenAI takes an eighth of it."""

_SPEEDS = (0.25, 4.0)


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to speak, and how.

    Attributes:
        text: What to say.
        model: OpenAI's name of a model, or the name of a voice engine.
        voice: OpenAI's name of a voice, or ``engine/name``.
        language: Language code; None for the voice's own.
        speed: Rate of speech, already within what the voices can do.
        format: One of `CONTENT_TYPES`.
        events: Whether the audio is wanted in server-sent events.
    """

    text: str
    model: str
    voice: str
    language: str | None
    speed: float
    format: str
    events: bool


async def read_speech_request(request: web.Request) -> SpeechRequest:
    """Read the body of a request.

    Raises:
        ApiError: It is too large, not JSON, or says what it may not.
    """
    if request.content_type != "application/json":
        raise ApiError(
            415,
            f"The content type is {request.content_type}; send the request as application/json.",
            code="unsupported_media_type",
        )
    try:
        body = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(
            413, f"The request is larger than {request.client_max_size} bytes.", code="too_large"
        ) from None
    except (ValueError, RecursionError):
        raise ApiError(400, "The request is not JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The request is not a JSON object.", code="invalid_json")
    return _parse(body)


def _parse(body: dict[str, Any]) -> SpeechRequest:
    text = _string(body, "input")
    if len(text) > MAX_CHARACTERS:
        raise invalid("input", f"is longer than {MAX_CHARACTERS} characters; send it in parts")
    voice = body.get("voice")
    if isinstance(voice, dict):
        body = {**body, "voice": voice.get("id")}
    return SpeechRequest(
        text=text,
        model=_string(body, "model"),
        voice=_string(body, "voice"),
        language=_string(body, "language") if body.get("language") is not None else None,
        speed=_speed(body.get("speed")),
        format=_choice(body, "response_format", tuple(CONTENT_TYPES)),
        events=_choice(body, "stream_format", ("audio", "sse")) == "sse",
    )


def _string(body: dict[str, Any], param: str) -> str:
    value = body.get(param)
    if value is None:
        raise missing(param)
    if not isinstance(value, str) or not value:
        raise invalid(param, "is not a text of at least one character")
    return value


def _choice(body: dict[str, Any], param: str, choices: tuple[str, ...]) -> str:
    value = body.get(param)
    if value is None:
        return choices[0]
    if value not in choices:
        raise invalid(param, f"is {str(value)[:40]!r}; it can be {', '.join(choices)}")
    return str(value)


def _speed(value: object) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("speed", "is not a number")
    if not _SPEEDS[0] <= value <= _SPEEDS[1]:
        raise invalid("speed", f"is {value}, but must be from {_SPEEDS[0]} to {_SPEEDS[1]}")
    # What OpenAI allows is not refused, but voices are not understood beyond their own limits.
    return min(max(float(value), SPEEDS[0]), SPEEDS[1])
