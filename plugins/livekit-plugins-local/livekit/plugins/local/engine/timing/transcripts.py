"""How words sound, one by one, before anybody has heard them."""

import subprocess
import threading
from collections.abc import Sequence

from livekit.plugins.local.engine.text.speakable import is_speakable, speakable
from livekit.plugins.local.engine.tts.espeak_program import espeak_path
from livekit.plugins.local.errors import EngineError

_DIALECTS = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br"}
_TIMEOUT_SECONDS = 1.0
_MOST_WORDS = 20_000
_AROUND = "\"'“”‘’().,;:!?…«»[]*_`-–— \n\t\u00a0\u202f"
# Units and the like are written out only beside one.
_NUMBER = "7"
_SPOKEN = frozenset("%&+=")
"""Signs that are no letters, but are said."""
# Stands for a digit where nobody can tell how it is read.
_DIGIT = "əəəə"


class Transcripts:
    """Writes words in IPA, and remembers those that it has written; safe to use from any thread.

    The program `espeak-ng` knows how, and reads numbers out, too. Without it words are taken for
    their letters.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def __call__(self, words: Sequence[str], language: str) -> list[str]:
        """Return each word in IPA; empty for signs that nobody says.

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
            self._known.update({(language, word): ipa for word, ipa in _transcribe(new, language)})
            return [self._known[language, word] for word in bare]

    def known(self, words: Sequence[str], language: str) -> bool:
        """Tell whether all of these words were written before, so that it costs nothing now."""
        return all((language, word.strip(_AROUND)) in self._known for word in words)


def _transcribe(words: Sequence[str], language: str) -> list[tuple[str, str]]:
    said = {word: _said(word, language) for word in words}
    said = {word: text for word, text in said.items() if is_speakable(text) or text in _SPOKEN}
    lines = _run_espeak(list(said.values()), language) if said else []
    if len(lines) != len(said):
        # No program, no such language, or a word at which it breaks the line.
        lines = [
            "".join(_DIGIT if c.isdigit() else c for c in text.lower()) for text in said.values()
        ]
    sounds = dict(zip(said, lines, strict=True))
    return [(word, sounds.get(word, "")) for word in words]


def _said(word: str, language: str) -> str:
    """Return how a word is said: "$5" is five dollars, "kg" after a number is kilograms."""
    alone = speakable(word, language)
    if any(map(str.isdigit, word)):
        return alone
    after = speakable(f"{_NUMBER} {word}", language).removeprefix(f"{_NUMBER} ")
    before = speakable(f"{word} {_NUMBER}", language).removesuffix(f" {_NUMBER}")
    return next((said for said in (after, before) if said != alone and _NUMBER not in said), alone)


def _run_espeak(words: Sequence[str], language: str) -> list[str]:
    """Return the IPA of each word; of another number of words if that failed."""
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
