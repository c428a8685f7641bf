"""How long words take, compared with each other, before anybody has heard them.

A word is worth its phonemes, as the program `espeak-ng` transcribes it by itself, which also reads
numbers out: a vowel counts one, a consonant 0.6, length 0.6 and stress 0.3. Without the program a
letter counts one and a digit four.
"""

import subprocess
import threading
from collections.abc import Sequence

from livekit.plugins.local.engine.tts.espeak_program import espeak_path
from livekit.plugins.local.errors import EngineError

_VOWELS = frozenset("aeiouyɐɑɒæɔəɚɛɜɪʊʌᵻøœɨɵ")
_GLIDE = 0.5
_CONSONANT = 0.6
_SIGNS = {"ː": 0.6, "ˈ": 0.3}
_DIGIT = 4.0
_DIALECTS = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br"}
_TIMEOUT_SECONDS = 1.0
_MOST_WORDS = 20_000
_AROUND = "\"'“”‘’().,;:!?…«»[]*_`-–— \n\t\u00a0\u202f"


class Efforts:
    """Weighs words, and remembers those that it has weighed; safe to use from any thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def __call__(self, words: Sequence[str], language: str) -> list[float]:
        """Return the effort of each word; signs that nobody says count nothing, if not alone.

        It may run a program, for some milliseconds.

        Args:
            words: Words with their punctuation.
            language: Language code.
        """
        bare = [word.strip(_AROUND) for word in words]
        with self._lock:
            new = list(dict.fromkeys(word for word in bare if (language, word) not in self._known))
            if len(self._known) + len(new) > _MOST_WORDS:
                self._known.clear()
                new = list(dict.fromkeys(bare))
            weights = _weigh(new, language)
            self._known.update({(language, word): w for word, w in zip(new, weights, strict=True)})
            found = [self._known[language, word] for word in bare]
        return found if any(found) else [1.0] * len(words)

    def known(self, words: Sequence[str], language: str) -> bool:
        """Tell whether all of these words were weighed before, so that it costs nothing now."""
        return all((language, word.strip(_AROUND)) in self._known for word in words)


def _weigh(words: Sequence[str], language: str) -> list[float]:
    spoken = [word for word in words if any(map(str.isalnum, word))]
    phonemes = _transcribe(spoken, language) if spoken else []
    if len(phonemes) != len(spoken):
        # No program, no such language, or a word at which it breaks the line.
        return [sum(_DIGIT if c.isdigit() else c.isalpha() for c in word) for word in words]
    weights = dict(zip(spoken, map(_of_phonemes, phonemes), strict=True))
    return [weights.get(word, 0.0) for word in words]


def _of_phonemes(ipa: str) -> float:
    total, before = 0.0, ""
    for symbol in ipa:
        if symbol in _VOWELS:
            total += _GLIDE if before in _VOWELS else 1.0
        else:
            total += _SIGNS.get(symbol, _CONSONANT if symbol.isalpha() else 0.0)
        before = symbol
    return total


def _transcribe(words: Sequence[str], language: str) -> list[str]:
    """Return the phonemes of each word; of another number of words if that failed."""
    try:
        done = subprocess.run(
            [
                *(espeak_path("The timing of words"), "-q", "--ipa", "-b", "1"),
                *("-v", _DIALECTS.get(language, language)),
            ],
            input="\n".join(words).encode(),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
    except (EngineError, OSError, subprocess.SubprocessError):
        return []
    return done.stdout.decode().splitlines()
