"""Where a text that still grows may be cut for speech."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from livekit.plugins.local.engine.text.abbreviations import is_abbreviation


class Strength(Enum):
    """How complete the text before a boundary is."""

    CLAUSE = 1
    SENTENCE = 2


class Boundary(NamedTuple):
    """A place to cut: everything before `end` belongs together."""

    end: int
    strength: Strength


# Quantifiers are possessive, so that a match never depends on where the text happens to stop: a
# boundary counts only once the next visible character is there to decide on it.
_NEXT = r"(?=\s(?P<next>[^\s!?;:,.…»)\]}]))"
_BOUNDARY = re.compile(
    rf"""
    (?P<mark> [.!?…।,;:]++ | (?<=\s)[-–]++ | —++ )
    ["'”’)\]}}*_`~]*+ (?:[ \u00a0\u202f]?+»)*+ {_NEXT}
    | (?P<newline> \n ) (?=\S)
    | (?P<wide> [。！？]++ ) (?=\s?+\S)
    """,
    re.VERBOSE,
)
_WORD_END = re.compile(rf"(?<=\S){_NEXT}")
# Three letters: neither an initial nor "p.m.", and no number that may go on behind the point.
_WHOLE = re.compile(r"(?=[^\W\d_a-zà-ÿ]).*[^\W\d_]{3}(?P<mark>\.|[ \u00a0\u202f]?[!?])", re.DOTALL)
_LIST_NUMBER = re.compile(r"(?:^|\n)\s*\d{1,3}$")


def boundaries(text: str, language: str) -> Iterator[Boundary]:
    """Find the safe places to cut, in order.

    Args:
        text: The text so far, with single spaces; what more text could change is left out.
        language: Two-letter code; decides about abbreviations.
    """
    for match in _BOUNDARY.finditer(text):
        if match["newline"]:
            yield Boundary(match.start(), Strength.SENTENCE)
        elif match["wide"]:
            yield Boundary(match.end(), Strength.SENTENCE)
        else:
            before = text[: match.start()]
            strength = _judge(before, match["mark"], match["next"], language)
            if strength:
                yield Boundary(match.end(), strength)


def ends_sentence(text: str, language: str) -> bool:
    """Return whether a text looks like a whole sentence, without waiting for what comes next.

    Args:
        text: The text so far.
        language: Language code.
    """
    match = _WHOLE.fullmatch(text)
    if match is None:
        return False
    return not is_abbreviation(text[: match.start("mark")], "", language.partition("-")[0].lower())


def word_end(text: str, limit: int) -> int:
    """Return the last end of a word at or before `limit`, or `limit` if one word fills it all."""
    ends = [match.start() for match in _WORD_END.finditer(text)]
    return max((end for end in ends if end <= limit), default=limit)


def _judge(before: str, mark: str, following: str, language: str) -> Strength | None:
    if mark[-1] in "-–—":
        is_bullet = not before.rstrip(" \t") or before.rstrip(" \t").endswith("\n")
        is_range = before.rstrip()[-1:].isdigit() and following.isdigit()
        return None if is_bullet or is_range else Strength.CLAUSE
    if mark[-1] in ",;:":
        return Strength.CLAUSE
    if mark == ".":
        if following.islower() or _LIST_NUMBER.search(before):
            return None
        return None if is_abbreviation(before, following, language) else Strength.SENTENCE
    # "Ah ! dit-il", "Wait… what": the sentence goes on.
    return Strength.CLAUSE if following.islower() else Strength.SENTENCE
