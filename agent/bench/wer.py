"""Word errors, counted after both sides were brought into one form.

English goes through Whisper's own English normaliser (case, punctuation, contractions, British
spelling, numbers), which published error rates use. Other languages go through its basic one (case,
punctuation, symbols) after number words became digits and ``%`` the words that are said. Both are
imported when they are used, since their tables take a moment to build.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

Normalizer = Callable[[str], str]

_PERCENT = {"fr": "pour cent", "es": "por ciento", "pt": "por cento", "de": "prozent"}
_COUNTED = {"fr", "es", "pt", "de", "it", "nl"}
_LOOP_WORDS = 3


@cache
def _english() -> Normalizer:
    from whisper_normalizer.english import EnglishTextNormalizer

    normalize: Normalizer = EnglishTextNormalizer()
    return normalize


@cache
def _basic() -> Normalizer:
    from whisper_normalizer.basic import BasicTextNormalizer

    normalize: Normalizer = BasicTextNormalizer()
    return normalize


def words(text: str, language: str) -> list[str]:
    """Return the normalised words of ``text``.

    Args:
        text: Any text.
        language: Two-letter code; it decides how numbers are read.
    """
    if language == "en":
        return _english()(text).split()
    text = text.lower()
    if percent := _PERCENT.get(language):
        text = re.sub(r"\s*(%|pourcent)", f" {percent}", text)
    if language in _COUNTED:
        from text_to_num import alpha2digit

        text = alpha2digit(text, language)
    return _basic()(text).split()


@dataclass(frozen=True, slots=True)
class Alignment:
    """How one sequence of words differs from another.

    Attributes:
        errors: Fewest insertions, deletions and substitutions that lead from one to the other.
        kept: Words that stand in both, in the same order, in such an alignment.
    """

    errors: int
    kept: int


def align(before: Sequence[str], after: Sequence[str]) -> Alignment:
    """Compare two sequences of words (Levenshtein; among equals, the one that keeps most)."""
    row = [(column, 0) for column in range(len(after) + 1)]
    for index, word in enumerate(before, 1):
        above, row = row, [(index, 0)]
        for column, other in enumerate(after, 1):
            same = word == other
            diagonal = (above[column - 1][0] + (not same), above[column - 1][1] - same)
            deleted = (above[column][0] + 1, above[column][1])
            inserted = (row[-1][0] + 1, row[-1][1])
            row.append(min(diagonal, deleted, inserted))
    errors, kept = row[-1]
    return Alignment(errors, -kept)


def looping(heard: Sequence[str], said: Sequence[str]) -> bool:
    """Whether three or more words were heard twice in a row, or fewer three times, unlike said."""
    return _longest_loop(heard) > _longest_loop(said)


def _longest_loop(sequence: Sequence[str]) -> int:
    """Return how many words the longest immediate repetition adds, 0 without one."""
    longest = 0
    for size in range(1, len(sequence) // 2 + 1):
        run = 0
        for index in range(size, len(sequence)):
            run = run + 1 if sequence[index] == sequence[index - size] else 0
            if run >= (size if size >= _LOOP_WORDS else 2 * size):
                longest = max(longest, run)
    return longest
