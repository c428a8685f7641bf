"""The messages in which transcripts reach the client, and their place in the stream."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from livekit.plugins.local.engine.stt.base import Transcription, Word


def joined(parts: Sequence[Transcription], *more: str) -> str:
    """Return the text of the parts of an utterance, in order."""
    return " ".join(filter(None, [*(part.text for part in parts), *more]))


def message(
    kind: str, text: str, language: str, span: tuple[float, float], **more: object
) -> dict[str, Any]:
    """Return a transcript as it is sent; ``span`` is in seconds of the stream."""
    start, end = span
    return {
        "type": kind,
        "text": text,
        "language": language,
        "start": round(start, 3),
        "end": round(max(start, end), 3),
        **more,
    }


def confidence(parts: Sequence[Transcription]) -> float:
    """Return how sure the least sure part is, 0 when there is none."""
    return min((part.confidence for part in parts), default=0.0)


def words_of(parts: Sequence[Transcription]) -> list[dict[str, Any]]:
    """Return the words of the parts, as they are sent."""
    return [asdict(word) for part in parts for word in part.words]


def placed(heard: Transcription, origin: float, voiced: tuple[float, float]) -> Transcription:
    """Move the words of an utterance to its place in the stream.

    The aligner gives the silence around an utterance to its first and last word; voice activity
    knows better. Whatever it says, times do not go back.

    Args:
        heard: The utterance, with word times since its audio began.
        origin: Where its audio begins, in seconds of the stream.
        voiced: Where its speech begins and ends, likewise.
    """
    at, end = voiced
    words: list[Word] = []
    for word in heard.words:
        start = min(max(word.start + origin, at), end)
        at = min(max(word.end + origin, start), end)
        words.append(Word(word.text, round(start, 3), round(at, 3), round(word.confidence, 3)))
    return replace(heard, words=tuple(words))
