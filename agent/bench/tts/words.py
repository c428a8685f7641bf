"""How far the times of words are from those that a listener finds for the same words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agent.bench.tts.corpus import Sentence


class Word(NamedTuple):
    """A word and when it is said, in seconds."""

    text: str
    start: float
    end: float


@dataclass(slots=True, kw_only=True)
class Offsets:
    """By how much words begin and end later than the listener says; milliseconds."""

    starts: list[float]
    ends: list[float]


def compare(sentence: Sentence, ours: Sequence[Word], theirs: Sequence[Word]) -> Offsets:
    """Compare the times of a sentence's words; nothing if one side lacks some."""
    mine = [word for word in ours if word.text.strip()]
    written = sentence.text.split()
    if [word.text.strip() for word in mine] != written or len(theirs) != len(written):
        return Offsets(starts=[], ends=[])
    pairs = list(zip(mine, theirs, strict=True))
    return Offsets(
        starts=[1000 * (our.start - their.start) for our, their in pairs],
        ends=[1000 * (our.end - their.end) for our, their in pairs],
    )
