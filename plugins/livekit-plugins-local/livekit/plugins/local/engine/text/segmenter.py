"""Cuts a reply, as the language model writes it, into segments that can be spoken one by one."""

import re

from livekit.plugins.local.engine.text.boundaries import Strength, boundaries, word_end

MIN_LETTERS = 7
"""A segment has at least this many letters and digits: less sounds clipped ("Bien sûr," passes)."""

MIN_LETTERS_OF_ANSWER = 2
"""A whole sentence at the beginning, for which somebody waits, may be so short ("No.", "Rome.")."""

SOFT_LIMIT = 150
"""Characters beyond which a sentence is cut at a clause boundary."""

HARD_LIMIT = 300
"""Characters beyond which it is cut between words."""

# A huge text is taken in slices of this many characters, so that every search stays short.
_SLICE = 1000
_SPACES = re.compile(r"\s{2,}")
_CLOSERS = "\"'”’»)]}*_`~ \u00a0\u202f"


class Segmenter:
    """Finds complete segments in text that arrives in pieces of any size.

    The first segment ends at the first clause boundary, because the caller is waiting for it;
    later ones at sentence ends, unless somebody waits again. But for that, the segments do not
    depend on how the text was cut into pieces; together they are the text, up to white space.

    Args:
        language: Language code; decides about abbreviations.
    """

    def __init__(self, language: str) -> None:
        self._language = language.partition("-")[0].lower()
        self._text = ""
        self._first = True

    def push(self, text: str) -> list[str]:
        """Add text and return the segments that it completes."""
        segments: list[str] = []
        for start in range(0, len(text), _SLICE):
            self._text += text[start : start + _SLICE]
            self._text = _SPACES.sub(lambda run: "\n" if "\n" in run[0] else " ", self._text)
            segments += self._complete()
        return segments

    def hurry(self) -> list[str]:
        """Cut the next segment as the first one: the text is written more slowly than spoken."""
        self._first = True
        return self._complete()

    @property
    def rest(self) -> str:
        """What is not complete yet."""
        return self._text.lstrip()

    def cut(self, end: int) -> list[str]:
        """Cut a segment out of the `rest`, in a place that somebody else has chosen."""
        text = self.rest
        self._text = text[end:]
        self._first = False
        return [text[:end].strip()]

    def flush(self) -> list[str]:
        """Return what is left, complete or not; the next segment is a first one again."""
        rest = self._text.strip()
        self._text = ""
        self._first = True
        return [rest] if rest else []

    def _complete(self) -> list[str]:
        segments: list[str] = []
        while (end := self._cut()) is not None:
            segments.append(self._text[:end].strip())
            self._text = self._text[end:]
            self._first = False
        return segments

    def _cut(self) -> int | None:
        """Return where the first segment of the text ends; None if more text must decide."""
        last_clause = None
        self._text = self._text.lstrip()
        for end, strength in boundaries(self._text, self._language):
            if end > HARD_LIMIT:
                break
            answers = self._first and strength is Strength.SENTENCE
            if _letters(self._text[:end]) < (MIN_LETTERS_OF_ANSWER if answers else MIN_LETTERS):
                continue
            if end > SOFT_LIMIT:
                return last_clause or end
            if self._first or strength is Strength.SENTENCE:
                return end
            last_clause = end
        # A visible character beyond a limit means that every boundary before it has been seen.
        seen = len(self._text.rstrip())
        if last_clause and seen > SOFT_LIMIT:
            return last_clause
        return word_end(self._text, HARD_LIMIT) if seen > HARD_LIMIT else None


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def pause_after(segment: str) -> float:
    """Return the silence, in seconds, that belongs between a segment and the next one."""
    last = segment.rstrip(_CLOSERS)[-1:] or " "
    if last in ".!?…।。！？":
        return 0.24
    return 0.09 if last in ",;:-–—" else 0.04
