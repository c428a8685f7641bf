"""Hibari: one fast English neural voice, in process (Apache-2.0)."""

from collections.abc import Iterator
from typing import Any

from livekit.plugins.local.engine.tts.audio import silence, trim_silence
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples
from livekit.plugins.local.packages import HIBARI

_VOICE = "heart"


class HibariEngine:
    """Runs the voice that the package `hibari-tts` brings along.

    Its other voices are left out: the package would download them by itself.
    """

    name = "hibari"
    sample_rate = 24_000
    version = ""

    def __init__(self, context: EngineContext) -> None:
        # The network is so small that one thread is faster than several: `context` has no say.
        self._hibari: Any = None

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the one voice."""
        return {_VOICE: frozenset({"en"})}

    def load(self) -> None:
        """Load the network and the pronunciation rules."""
        try:
            import hibari
            from hibari.voices import voice_path
        except ImportError:
            raise HIBARI.error() from None
        network = voice_path(_VOICE, download_missing=False)
        self._hibari = hibari.Hibari(voice=_VOICE, model=network, threads=1)
        self.version = hibari.__version__
        # Pronunciation rules load lazily; an invented word loads those for unknown words too.
        self._hibari("Warming up the frobnicator.")

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Speak one clause or sentence; a sentence takes some 20 ms and is not interrupted."""
        spoken = False
        for samples in self._hibari.stream(text, speed):
            if cancel.cancelled:
                return
            spoken = True
            yield trim_silence(samples, self.sample_rate)
        if not spoken:
            # Signs without a pronunciation are no reason to break off a reply.
            yield silence(0.1, self.sample_rate)
