"""Cuts what a slow voice could not say in time once more, between clauses or phrases."""

import re
from collections.abc import Iterator
from itertools import chain

from livekit.plugins.local.engine.text.boundaries import boundaries
from livekit.plugins.local.engine.text.segmenter import MIN_LETTERS

_MIN_LETTERS_OF_PHRASE = 13
"""Less between two words that belong together sounds torn."""

# Words before which people breathe, if they must.
_OPENING = {
    "en": "and or but because that which who with for from in on at by until when where than is "
    "are was were will would should could can to between after before during",
    "fr": "et ou mais que qui pour avec sans dans sur par en est sont ont car quand où comme chez "
    "sera doit devrait peut jusqu'à jusqu'au jusqu'en depuis pendant vers entre après avant",
}
_PHRASES = {
    language: re.compile(rf"\s(?=(?:{words.replace(' ', '|')})\s)", re.IGNORECASE)
    for language, words in _OPENING.items()
}
_WORDS = re.compile(r"(?<=\w)\s(?=\w)")


def cut_short(segment: str, language: str, characters: float) -> tuple[str, str]:
    """Cut a segment that takes too long to synthesise as a whole.

    Args:
        segment: One of a `Segmenter`.
        language: Language code.
        characters: How many can be afforded now.

    Returns:
        The longest beginning that can be afforded, else the shortest there is, and the rest. It
        ends at a clause, else at a phrase, or at a word where nobody knows the phrases of the
        language; the rest is empty if there is no need to cut, or no place.
    """
    if len(segment) <= characters:
        return segment, ""
    kinds = list(_places(segment, language.partition("-")[0].lower()))
    affordable = ([end for end in ends if end <= characters] for ends in kinds)
    end = next((ends[-1] for ends in affordable if ends), None) or min(chain(*kinds), default=0)
    return (segment[:end].strip(), segment[end:].strip()) if end else (segment, "")


def first_phrase(text: str, language: str) -> int | None:
    """Return where the first phrase of a text ends that is long enough to be said on its own.

    Args:
        text: The beginning of a segment, of which more is to come.
        language: Language code; nothing is found where nobody knows the phrases of it.
    """
    ends = _PHRASES.get(language.partition("-")[0].lower())
    for match in ends.finditer(text) if ends else ():
        if _letters(text[: match.start()]) >= _MIN_LETTERS_OF_PHRASE:
            return match.start()
    return None


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _places(segment: str, language: str) -> Iterator[list[int]]:
    """Yield the places where one can cut, the best kind first."""

    def apart(end: int, letters: int) -> bool:
        parts = segment[:end], segment[end:]
        return min(map(_letters, parts)) >= letters

    yield [end for end, _ in boundaries(segment, language) if apart(end, MIN_LETTERS)]
    ends = [match.start() for match in _PHRASES.get(language, _WORDS).finditer(segment)]
    yield [end for end in ends if apart(end, _MIN_LETTERS_OF_PHRASE)]
