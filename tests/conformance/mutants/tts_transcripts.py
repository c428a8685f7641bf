"""Voices that time their text wrongly."""

from typing import Any

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Wire, voice


class _Timing(Wire):
    """Changes the words on their way."""

    async def receive(self, **arguments: Any) -> bytes | dict[str, Any] | None:
        message = await super().receive(**arguments)
        if isinstance(message, dict) and message["type"] == "words":
            return {
                **message,
                "words": [{**word, **self.timed(**word)} for word in message["words"]],
            }
        return message

    def timed(self, text: str, start: float, end: float) -> dict[str, Any]:
        raise NotImplementedError


class _Milliseconds(_Timing):
    def timed(self, text: str, start: float, end: float) -> dict[str, Any]:
        return {"start": 1000 * start, "end": 1000 * end}


class _Backwards(_Timing):
    def timed(self, text: str, start: float, end: float) -> dict[str, Any]:
        return {"start": max(0.0, 2 - start), "end": max(0.0, 2 - end)}


class _OwnWords(_Timing):
    def timed(self, text: str, start: float, end: float) -> dict[str, Any]:
        return {"text": text.lower()}


class _FromZero(Wire):
    """Forgets that a clause follows others."""

    async def receive(self, **arguments: Any) -> bytes | dict[str, Any] | None:
        message = await super().receive(**arguments)
        if not isinstance(message, dict) or message["type"] != "words":
            return message
        first = message["words"][0]["start"]
        words = [
            {**word, "start": word["start"] - first, "end": word["end"] - first}
            for word in message["words"]
        ]
        return {**message, "words": words}


_TIMED = frozenset({"tts_timed_transcripts"})

MUTANTS = (
    Mutant("times in milliseconds", "tts", voice(wire=_Milliseconds), _TIMED),
    Mutant("times that go back", "tts", voice(wire=_Backwards), _TIMED),
    Mutant("times that begin anew with each clause", "tts", voice(wire=_FromZero), _TIMED),
    Mutant("captions in its own words", "tts", voice(wire=_OwnWords), _TIMED),
)
