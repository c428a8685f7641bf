"""Hibari: one fast English neural voice, in process (Apache-2.0)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from livekit.plugins.local.engine.tts.audio import silence, voiced
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Voiced
from livekit.plugins.local.engine.tts.onnx_graph import with_output
from livekit.plugins.local.packages import HIBARI
from numpy.typing import NDArray

_VOICE = "heart"
# How long the network makes each symbol, in frames.
_DURATIONS = "/Clip_output_0"
_LIKE_A_NUMERAL = re.compile(r"(?<= )(?=[IVXLC][a-z])")


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
        self._network: _Network

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
        network = onnx.load(voice_path(_VOICE, download_missing=False))
        with_output(network, _DURATIONS)
        self._hibari = hibari.Hibari(voice=_VOICE, model=network.SerializeToString(), threads=1)
        self._network = _Network(self._hibari.sess)
        self._hibari.sess = self._network
        self.version = hibari.__version__
        # Pronunciation rules load lazily; an invented word loads those for unknown words too.
        self._hibari("Warming up the frobnicator.")

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Voiced]:
        """Speak one clause or sentence; a sentence takes some 20 ms and is not interrupted."""
        spoken = False
        for phonemes in self._hibari.phonemize(without_zeroth(text)):
            symbols = [symbol for symbol in phonemes if symbol in self._hibari.vocab]
            if not symbols:
                continue
            samples = self._hibari.from_phonemes(phonemes, speed)
            if cancel.cancelled:
                return
            spoken = True
            yield voiced(samples, self.sample_rate, symbols, self._network.frames)
        if not spoken:
            # Signs without a pronunciation are no reason to break off a reply.
            yield Voiced(silence(0.1, self.sample_rate), [])


def without_zeroth(text: str) -> str:
    """Keep Hibari from taking the I, V, X, L or C of a name after a title for a numeral.

    It would say "King the zeroth Charles". It drops the sign that is put in between.
    """
    return _LIKE_A_NUMERAL.sub("\N{WORD JOINER}", text)


class _Network:
    """Hibari's network, whose last output Hibari does not know of.

    Attributes:
        frames: Duration of each symbol in the last run, shape ``(symbols + 2,)``.
    """

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - ONNX Runtime has no types
        self._session = session
        self.frames: NDArray[np.float32] = np.zeros(0, np.float32)

    def run(self, names: None, inputs: Mapping[str, Any]) -> list[NDArray[np.float32]]:
        """Run the network; see `onnxruntime.InferenceSession.run`."""
        outputs: list[NDArray[np.float32]] = self._session.run(names, inputs)
        self.frames = outputs.pop()
        return outputs
