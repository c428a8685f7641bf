"""Voices that claim to time their text."""

from typing import Any

from livekit.agents import tts
from livekit.agents.types import TimedString
from livekit.plugins import local
from livekit.plugins.local.client import EngineStream
from livekit.plugins.local.watchdog import Watchdog

from tests.conformance.mutants.mutant import Mutant
from tests.conformance.mutants.tts_base import Clauses, Make, Voice


class TimedVoice(Clauses):
    """Times each clause; the mutants below do it wrong."""

    at = 0.0

    async def receive(self, **arguments: Any) -> bytes | dict[str, Any] | None:
        message = await super().receive(**arguments)
        if isinstance(message, bytes):
            self.at += len(message) / 48_000
        return message

    def begun(self, text: str) -> None:
        text, start = self.timed(f"{text} ", self.at)
        self.emitter.push_timed_transcript(TimedString(text, start_time=start))

    def timed(self, text: str, start: float) -> tuple[str, float]:
        return text, start


class TimedStream(local.SynthesizeStream):
    """A stream whose text is timed."""

    timing: type[TimedVoice] = TimedVoice

    async def _receive(
        self, engine: EngineStream, emitter: tts.AudioEmitter, watchdog: Watchdog
    ) -> None:
        wire: Any = self.timing(engine, emitter)
        await super()._receive(wire, emitter, watchdog)


class _Milliseconds(TimedVoice):
    def timed(self, text: str, start: float) -> tuple[str, float]:
        return text, 1000 * start


class _Backwards(TimedVoice):
    def timed(self, text: str, start: float) -> tuple[str, float]:
        return text, max(0.0, 2 - start)


class _OwnWords(TimedVoice):
    def timed(self, text: str, start: float) -> tuple[str, float]:
        return text.lower(), start


def timed_by(timing: type[TimedVoice]) -> Make:
    """Return the factory of a voice that claims to time its text, and does so."""

    class Timed(TimedStream):
        pass

    class Claiming(Voice):
        opens = Timed

        def __init__(self, address: str) -> None:
            super().__init__(address)
            self._capabilities.aligned_transcript = True

    Timed.timing = timing
    return Claiming


_TIMED = frozenset({"tts_timed_transcripts"})

MUTANTS = (
    Mutant("times in milliseconds", "tts", timed_by(_Milliseconds), _TIMED),
    Mutant("times that go back", "tts", timed_by(_Backwards), _TIMED),
    Mutant("captions in its own words", "tts", timed_by(_OwnWords), _TIMED),
)
