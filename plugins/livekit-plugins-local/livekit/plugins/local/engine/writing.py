"""A reply while it is being written, cut into what is said at a time."""

import asyncio

from livekit.plugins.local.engine.pacing import CHARACTERS_PER_SECOND, OVERHEAD, Pace
from livekit.plugins.local.engine.text.boundaries import ends_sentence
from livekit.plugins.local.engine.text.cutting import first_phrase
from livekit.plugins.local.engine.text.segmenter import Segmenter

# A voice that says a phrase sooner than this loses more by the cut than it gains, unless the first
# sentence is written for so long.
_SLOW_SECONDS = 0.15
_LONG_SECONDS = 0.4
# What must have been written and made by the end of the first phrase, in characters.
_NEXT_CHARACTERS = 25
# By how much the estimates are too low now and then.
_MARGIN_SECONDS = 0.15


class Writing:
    """Cuts a text that arrives in pieces into clauses, and into phrases where somebody waits.

    Args:
        language: Language code.
        pace: How fast the voice is.
    """

    def __init__(self, language: str, pace: Pace) -> None:
        self._language = language
        self._pace = pace
        self._segmenter = Segmenter(language)
        self._began: float | None = None
        self._characters = 0
        self._cut = False

    def push(self, text: str) -> list[str]:
        """Add text and return the clauses that it completes."""
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
        else:
            self._characters += len(text)
        clauses = self._segmenter.push(text)
        if not (clauses or self._cut) and ends_sentence(self._segmenter.rest, self._language):
            # An answer of a word or two: the next token would tell for certain, but later.
            clauses = self._segmenter.cut(len(self._segmenter.rest))
        self._cut = self._cut or bool(clauses)
        return clauses

    def flush(self) -> list[str]:
        """Return what is left, complete or not; what comes next is written anew."""
        self._began, self._characters, self._cut = None, 0, False
        return self._segmenter.flush()

    def hurry(self, *, begun: bool) -> list[str]:
        """Return what can be said although its sentence is not complete.

        Args:
            begun: Whether there was any audio: it would break off, which is worse than any cut.
        """
        clauses = (begun and self._segmenter.hurry()) or self._phrase(begun=begun)
        self._cut = self._cut or bool(clauses)
        return clauses

    def _phrase(self, *, begun: bool) -> list[str]:
        end = first_phrase(self._segmenter.rest, self._language)
        if end is None:
            return []
        phrase = self._segmenter.rest[:end]
        pace = self._pace(phrase)
        slow = pace * (len(phrase) + OVERHEAD) >= _SLOW_SECONDS
        seconds = asyncio.get_running_loop().time() - (self._began or 0.0)
        if not slow and (begun or seconds < _LONG_SECONDS):
            return []
        return self._segmenter.cut(end) if begun or self._keeps_up(phrase, pace) else []

    def _keeps_up(self, phrase: str, pace: float) -> bool:
        """Return whether the next phrase will be there when this one has been said."""
        seconds = asyncio.get_running_loop().time() - (self._began or 0.0)
        if not self._characters:
            return False
        writing = _NEXT_CHARACTERS * seconds / self._characters
        speaking = pace * (_NEXT_CHARACTERS + OVERHEAD)
        said = len(phrase) / CHARACTERS_PER_SECOND
        return writing + speaking + _MARGIN_SECONDS <= said
