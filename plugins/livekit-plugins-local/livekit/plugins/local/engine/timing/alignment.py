"""Words laid over the audio of the clause that they make up.

The time that a clause takes is shared among its words by their `effort`. What would drift in long
clauses is held by the pauses that are to be heard: each is assigned to the end of a word nearby,
rather to one with a comma than to another, and the words between two pauses share what lies
between. Only the assignment is a guess; it is the cheapest one in order (dynamic programming).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from livekit.plugins.local.engine.timing.pauses import Pause, pauses
from numpy.typing import NDArray

_WORDS = re.compile(r"\S+\s*")
_MARKED = re.compile(r"[,;:.!?…—–)\]»”\"-][\"'”’»)\]*_]*\s*$")
# What an assignment costs, in seconds by which it is off.
_UNMARKED = 0.25
_MARK_WITHOUT_PAUSE = 0.1
_PAUSE_WITHOUT_WORD = 2.0
_FRAME_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with what follows it up to the next, and when it is said, in seconds."""

    text: str
    start: float
    end: float


def split_words(clause: str) -> list[str]:
    """Return the words of a clause, which together are the clause."""
    return _WORDS.findall(clause)


def align(
    words: Sequence[str], weights: Sequence[float], pcm: NDArray[np.int16], rate: int
) -> list[float]:
    """Return when each word of a clause begins and ends.

    Args:
        words: The words, at least one.
        weights: How long each takes, compared with the others; not all zero.
        pcm: The audio of the whole clause, shape ``(samples,)``.
        rate: Its sample rate in Hz.

    Returns:
        Start and end of the first word, of the second and so on, in seconds, never going back.
    """
    length = len(pcm) / rate
    silent = pauses(pcm, rate)
    begins = silent[0].end if silent and silent[0].start == 0 else 0.0
    ends = silent[-1].start if silent and silent[-1].end >= length - _FRAME_SECONDS else length
    if ends <= begins:
        begins, ends = 0.0, length
    inner = [pause for pause in silent if begins < pause.start and pause.end < ends]
    gone = list(accumulate((pause.end - pause.start for pause in inner), initial=0.0))
    spoken = ends - begins - gone[-1]
    expected = [spoken * part / sum(weights) for part in accumulate(weights[:-1])]
    said = [pause.start - begins - before for pause, before in zip(inner, gone, strict=False)]
    anchors = _assign(inner, said, words, expected)
    marks = [(0, begins), *((at, inner[i].start) for at, i in anchors), (len(words), ends)]
    starts = [begins, *(inner[i].end for _, i in anchors)]
    times: list[float] = []
    for start, ((first, _), (last, end)) in zip(starts, pairwise(marks), strict=True):
        times += share(weights[first:last], start, end)
    return times


def settle(times: Sequence[float], pcm: NDArray[np.int16], rate: int) -> list[float]:
    """Let words touch, except where nothing is heard between them.

    Args:
        times: Start and end of the first word, of the second and so on; at least one word.
        pcm: The audio of the whole clause, shape ``(samples,)``.
        rate: Its sample rate in Hz.

    Returns:
        The same for the same words, in seconds, never going back.
    """
    silent = pauses(pcm, rate)
    length = len(pcm) / rate
    settled = [max([times[0], *(pause.end for pause in silent if pause.start == 0)])]
    for end, start in zip(times[1:-1:2], times[2::2], strict=True):
        between = [pause for pause in silent if pause.start < start and pause.end > end]
        longest = max(between, key=lambda pause: pause.end - pause.start, default=Pause(end, end))
        settled += [longest.start, longest.end]
    last = [pause.start for pause in silent if pause.end >= length - _FRAME_SECONDS]
    settled.append(min([length, times[-1], *last]))
    return list(accumulate(settled, max))


def share(weights: Sequence[float], start: float, end: float) -> list[float]:
    """Return the starts and ends of words, in turn, which share the time from start to end."""
    total = sum(weights) or 1.0
    edges = [start + (end - start) * part / total for part in accumulate(weights, initial=0.0)]
    return [time for span in pairwise(edges) for time in span]


def _assign(
    inner: Sequence[Pause], said: Sequence[float], words: Sequence[str], expected: Sequence[float]
) -> list[tuple[int, int]]:
    """Return pairs of the number of words before a pause and the pause's index, in order."""
    marked = [bool(_MARKED.search(word)) for word in words[:-1]]
    # Cost and assignment of the first pauses to the first ends of words.
    row: list[tuple[float, list[tuple[int, int]]]] = [(0.0, [])]
    for mark in marked:
        row.append((row[-1][0] + _MARK_WITHOUT_PAUSE * mark, []))
    for index, pause in enumerate(inner):
        above, row = row, []
        dropped = _PAUSE_WITHOUT_WORD * (pause.end - pause.start)
        for end in range(len(marked) + 1):
            options = [(above[end][0] + dropped, above[end][1])]
            if end:
                options.append((row[-1][0] + _MARK_WITHOUT_PAUSE * marked[end - 1], row[-1][1]))
                off = abs(expected[end - 1] - said[index]) + _UNMARKED * (not marked[end - 1])
                options.append((above[end - 1][0] + off, [*above[end - 1][1], (end, index)]))
            row.append(min(options, key=lambda option: option[0]))
    return row[-1][1]
