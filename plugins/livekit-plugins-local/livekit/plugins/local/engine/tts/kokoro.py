"""Kokoro: 41 neural voices in English, French, Spanish, Italian, Portuguese and Hindi."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from livekit.plugins.local.engine.tts.audio import silence
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Voiced
from livekit.plugins.local.engine.tts.espeak_program import espeak_path
from livekit.plugins.local.engine.tts.kokoro_model import SAMPLE_RATE, KokoroModel, load_styles
from livekit.plugins.local.engine.tts.kokoro_network import Norms
from livekit.plugins.local.engine.tts.kokoro_symbols import MAX_TOKENS, SYMBOL_IDS
from livekit.plugins.local.engine.tts.phonemes import phonemize
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.packages import KOKORO
from numpy.typing import NDArray

MODEL = "kokoro-82m-q8"
VOICES = "kokoro-voices"

# First letter of a voice: the dialect that espeak-ng transcribes for it. Japanese (j) and Chinese
# (z) voices are left out: espeak-ng transcribes them too poorly.
_DIALECTS = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr-fr",
    "h": "hi",
    "i": "it",
    "p": "pt-br",
}
_PAUSE_SECONDS = 0.1
_FIRST_WORDS = "1, 2, 3."
# A word in any language, without a pause.
_TO_ITSELF = "21."
# Where phonemes that are too many may be cut, best first.
_CUTS = (re.compile(r"[.!?…]”? "), re.compile(r"[,;:—)]”? "), re.compile(r" "))


class KokoroEngine:
    """Runs Kokoro-82M on this machine; phonemes come from the program `espeak-ng`.

    Attributes:
        pace: Seconds that a character takes here; a clause comes whole, so this says how long its
            first audio takes. Known once loaded.
    """

    name = "kokoro"
    sample_rate = SAMPLE_RATE
    version = "1.0-q8-3"

    def __init__(self, context: EngineContext) -> None:
        self.pace = 0.0
        self._context = context
        self._model: KokoroModel
        self._files: dict[str, Path] = {}
        self._known: dict[str, _Voice] = {}

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the voices whose files are there and whose language can be transcribed."""
        return {voice: frozenset({_DIALECTS[voice[0]][:2]}) for voice in self._files}

    def load(self) -> None:
        """Load the network, list the voices and speak a word, so that the first call is fast."""
        espeak_path(KOKORO.what)
        networks = list(self._context.model_dir(MODEL).glob("*.onnx"))
        files = sorted(self._context.model_dir(VOICES).glob("*.bin"))
        if len(networks) != 1 or not files:
            raise EngineError(
                "failed", f"The model {MODEL} or {VOICES} is incomplete; pull it again."
            )
        self._model = KokoroModel(networks[0], self._context.threads)
        self._files = {file.stem: file for file in files if file.stem[0] in _DIALECTS}
        configured = (voice.partition("/") for voice in self._context.configured.values())
        wanted = {name for engine, _, name in configured if engine == self.name}
        voices = sorted(wanted & self._files.keys()) or [next(iter(self._files))]
        # The first time prepares the network; what is timed after it is like all others.
        for voice in voices:
            self._voice(voice, Cancellation())
        began = time.perf_counter()
        language = _DIALECTS[voices[0][0]][:2]
        for _ in self.synthesize(
            _FIRST_WORDS, voice=voices[0], language=language, speed=1.0, cancel=Cancellation()
        ):
            pass
        self.pace = (time.perf_counter() - began) / len(_FIRST_WORDS)

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Voiced]:
        """Speak one clause or sentence; the network makes up to 510 phonemes at a time."""
        phonemes = _spell(text, voice)
        if not any(map(str.isalpha, phonemes)):
            # Signs without a pronunciation: nothing to say, and no reason to break off a reply.
            yield Voiced(silence(_PAUSE_SECONDS, SAMPLE_RATE), [])
            return
        speaker = self._voice(voice, cancel)
        for index, chunk in enumerate(split_phonemes(phonemes, MAX_TOKENS)):
            if cancel.cancelled or speaker is None:
                return
            spoken = self._model.run(chunk, speaker.styles, speaker.silence, speed, cancel)
            if spoken is None:
                return
            if index:
                yield Voiced(silence(_PAUSE_SECONDS, SAMPLE_RATE), [])
            yield spoken

    def _voice(self, name: str, cancel: Cancellation) -> "_Voice | None":
        """Return a voice, which the first time says a word to itself; None if cancelled."""
        if name not in self._known:
            styles = load_styles(self._files[name])
            quiet = self._model.silence(_spell(_TO_ITSELF, name), styles, cancel)
            if quiet is None:
                return None
            self._known[name] = _Voice(styles, quiet)
        return self._known[name]


@dataclass(frozen=True, slots=True)
class _Voice:
    """What makes a voice: its style vectors, and what silence adds to its sound."""

    styles: NDArray[np.float32]
    silence: Norms


def _spell(text: str, voice: str) -> str:
    """Return a text in the phonemes that the network knows."""
    spelled = phonemize(text, _DIALECTS[voice[0]])
    return "".join(symbol for symbol in spelled if symbol in SYMBOL_IDS)


def split_phonemes(phonemes: str, limit: int) -> list[str]:
    """Cut phonemes into parts of at most `limit`: at sentences, else clauses, else words."""
    parts: list[str] = []
    while len(phonemes) > limit:
        # The space at the cut goes; it may be the first character after the limit.
        window = phonemes[: limit + 1]
        cuts = ([match.end() for match in cut.finditer(window)] for cut in _CUTS)
        end = next((found[-1] for found in cuts if found), limit)
        parts.append(phonemes[:end].rstrip())
        phonemes = phonemes[end:].lstrip()
    return [*parts, phonemes] if phonemes else parts
