"""Words laid over phonemes whose times the voice told.

A voice says something else than is written: numbers read out, dates turned round, words run
together. So the words, transcribed one by one, are matched with what was said as a whole: the
cheapest way to turn one into the other (Needleman-Wunsch), where sounds of a kind cost less and
words prefer to begin where the voice was given a space.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
from livekit.plugins.local.engine.timing.sounds import (
    is_modifier,
    is_sound,
    is_stress,
    is_vowel,
    spelled,
)
from livekit.plugins.local.engine.tts.base import Phoneme
from numpy.typing import NDArray

_GAP = 0.6
_SAME_KIND = 0.5
_OTHER_KIND = 1.1
# For a word that begins in the middle of one that was said, and the other way round.
_NO_SPACE = 0.4
_SPACE_INSIDE = 0.1
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class _Sound:
    """A sound that was said; `first` if it follows a space, a stop or the like."""

    symbol: str
    start: float
    end: float
    first: bool


def match(transcripts: Sequence[str], said: Sequence[Phoneme]) -> list[float]:
    """Return when each word begins and ends.

    Args:
        transcripts: The words in IPA, one by one; empty for signs that nobody says.
        said: What was said, in order, with spaces and punctuation.

    Returns:
        Start and end of the first word, of the second and so on, in seconds, never going back;
        empty if nothing of the words was said.
    """
    sounds = list(_sounds(said))
    words = ["".join(map(spelled, filter(is_sound, word))) for word in transcripts]
    if not sounds or not any(words):
        return []
    symbols = "".join(words)
    begins = {0, *accumulate(map(len, words))}
    pairs = _pair(symbols, [index in begins for index in range(len(symbols))], sounds)
    cuts = _cuts(words, pairs, sounds)
    times: list[float] = []
    for first, last in pairwise(cuts):
        if first < last:
            times += [sounds[first].start, sounds[last - 1].end]
        else:
            at = times[-1] if times else sounds[0].start
            times += [at, at]
    return times


def _sounds(said: Sequence[Phoneme]) -> Iterator[_Sound]:
    """Yield the sounds: stress marks belong to what follows, signs of length to what precedes."""
    first, begin = True, None
    held: _Sound | None = None
    for phoneme in said:
        if is_stress(phoneme.symbol):
            begin = phoneme.start if begin is None else begin
        elif is_modifier(phoneme.symbol) and held:
            held = replace(held, end=phoneme.end)
        elif not is_sound(phoneme.symbol):
            first, begin = True, None
        else:
            if held:
                yield held
            start = phoneme.start if begin is None else begin
            parts = list(spelled(phoneme.symbol))
            if len(parts) > 1:
                middle = (start + phoneme.end) / 2
                yield _Sound(parts[0], start, middle, first)
                start, first = middle, False
            held = _Sound(parts[-1], start, phoneme.end, first)
            first, begin = False, None
    if held:
        yield held


def _pair(symbols: str, begins: Sequence[bool], sounds: Sequence[_Sound]) -> list[tuple[int, int]]:
    """Return pairs of indices into the symbols and the sounds that go together, in order."""
    costs = _costs(symbols, begins, sounds)
    rows, columns = costs.shape
    steps = _GAP * np.arange(columns + 1)
    table = np.empty((rows + 1, columns + 1))
    table[0] = steps
    for row in range(rows):
        best = table[row] + _GAP
        best[1:] = np.minimum(best[1:], table[row, :-1] + costs[row])
        # A run of sounds that belong to no symbol: the cheapest place to begin it.
        table[row + 1] = np.minimum.accumulate(best - steps) + steps
    # Walked through one by one, where Python's own numbers are much faster.
    paths, prices = table.tolist(), costs.tolist()
    pairs: list[tuple[int, int]] = []
    row, column = rows, columns
    while row and column:
        here = paths[row][column] + _ROUNDING
        if here > paths[row - 1][column - 1] + prices[row - 1][column - 1]:
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif here > paths[row - 1][column] + _GAP:
            row -= 1
        else:
            column -= 1
    return pairs[::-1]


def _costs(symbols: str, begins: Sequence[bool], sounds: Sequence[_Sound]) -> NDArray[np.float64]:
    """Return the cost of each pair of a symbol and a sound, shape ``(symbols, sounds)``."""
    wanted = np.array(list(symbols))[:, None]
    given = np.array([sound.symbol for sound in sounds])[None]
    alike = np.array([is_vowel(symbol) for symbol in symbols])[:, None] == np.array(
        [is_vowel(sound.symbol) for sound in sounds]
    )
    begin = np.array(begins)[:, None]
    first = np.array([sound.first for sound in sounds])[None]
    costs: NDArray[np.float64] = np.where(alike, _SAME_KIND, _OTHER_KIND)
    costs = np.where(wanted == given, 0.0, costs)
    costs += _NO_SPACE * (begin & ~first) + _SPACE_INSIDE * (~begin & first)
    return costs


def _cuts(
    words: Sequence[str], pairs: Sequence[tuple[int, int]], sounds: Sequence[_Sound]
) -> list[int]:
    """Return the index of the first sound of each word, and their number at the end."""
    cuts = [0]
    for end in list(accumulate(map(len, words)))[:-1]:
        before = max((index for symbol, index in pairs if symbol < end), default=-1)
        after = min((index for symbol, index in pairs if symbol >= end), default=len(sounds))
        # What lies between belongs to nobody: to the word before, up to a space.
        spaces = [index for index in range(before + 1, after) if sounds[index].first]
        cuts.append(max(cuts[-1], spaces[-1] if spaces else after) if before >= 0 else 0)
    return [*cuts, len(sounds)]
