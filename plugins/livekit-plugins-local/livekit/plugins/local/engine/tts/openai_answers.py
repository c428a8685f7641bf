"""What servers with OpenAI's speech API answer: refusals, audio formats, lists of voices."""

import json
import re
from typing import Any

from livekit.plugins.local.errors import EngineError

_RATE = re.compile(r"\brate=(\d{4,6})\b", re.IGNORECASE)
# A code is a name; a sentence might repeat what was to be said, and has no place in a log.
_NAME = re.compile(r"[\w.:/-]{1,64}")
_PCM_TYPES = ("audio/pcm", "audio/l16", "audio/x-pcm", "audio/raw", "application/octet-stream", "")
_RATES = range(8_000, 48_001)


def answer_error(status: int, body: bytes) -> EngineError:
    """Turn a refusal into a sentence that names the setting to look at.

    Args:
        status: The HTTP status.
        body: The answer; only the code and the parameter that it names are repeated.
    """
    start = "The speech server of TTS_OPENAI_URL"
    if status in (401, 403):
        return EngineError("failed", f"{start} refused the key; check TTS_OPENAI_API_KEY.")
    names = " ".join(_names(body))
    said = f" ({names})" if names else ""
    if status == 404:
        return EngineError(
            "failed",
            f"{start} has no such endpoint, model or voice{said}; check TTS_OPENAI_URL, "
            "TTS_OPENAI_MODEL and TTS_VOICES.",
        )
    if status == 429 or status >= 500:
        return EngineError(
            "failed", f"{start} answered with status {status}{said}.", retryable=True
        )
    return EngineError(
        "failed",
        f"{start} refused the request with status {status}{said}; check TTS_OPENAI_MODEL and "
        "TTS_VOICES.",
    )


def pcm_rate(content_type: str, default: int) -> int:
    """Return the sample rate of an answer, in Hz.

    Args:
        content_type: The header; some servers add ``rate=``.
        default: What it is when the header does not tell.

    Raises:
        EngineError: The answer is no PCM.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _PCM_TYPES:
        shown = kind if _NAME.fullmatch(kind) else "something else"
        raise EngineError(
            "failed",
            f"The speech server of TTS_OPENAI_URL sent {shown} instead of PCM; it must know the "
            "response format pcm.",
        )
    found = _RATE.search(content_type)
    rate = int(found[1]) if found else default
    if rate not in _RATES:
        raise EngineError(
            "failed", f"The speech server of TTS_OPENAI_URL sends audio at {rate} Hz, not speech."
        )
    return rate


def listed_voices(answer: Any, model: str) -> list[str]:  # noqa: ANN401 - foreign JSON
    """Return the names in a list of voices or, by `model`, in a list of models."""
    if not isinstance(answer, dict):
        return []
    entries = answer.get("voices")
    if entries is None:
        models = answer.get("data")
        found = [
            entry
            for entry in (models if isinstance(models, list) else [])
            if isinstance(entry, dict) and entry.get("id") == model
        ]
        entries = found[0].get("voices") if found else None
    names = [
        (entry.get("id") or entry.get("voice_id") or entry.get("name"))
        if isinstance(entry, dict)
        else entry
        for entry in (entries if isinstance(entries, list) else [])
    ]
    # Our own engine lists `engine/name`; with the engine as the model the name suffices.
    return [
        name.removeprefix(f"{model}/") for name in names if isinstance(name, str) and len(name) > 0
    ]


def _names(body: bytes) -> list[str]:
    try:
        error = json.loads(body)["error"]
        values = [error.get("code"), error.get("param")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
    return [value for value in values if isinstance(value, str) and _NAME.fullmatch(value)]
