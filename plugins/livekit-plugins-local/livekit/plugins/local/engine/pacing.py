"""Keeps a reply from breaking off between two clauses: how long the next may be, when to begin."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from livekit.plugins.local.engine.text.cutting import cut_short
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE

OVERHEAD = 10
"""What a clause costs a neural voice before its first character, in characters."""

_SHORTEST_SECONDS = 0.4
_LONGEST_HEAD_START = 0.9
_MARGIN_SECONDS = 0.45
_LOOK_AHEAD = 8
# So long before the audio ends the rest of a sentence is not waited for any more.
_HURRY_SECONDS = 0.3
CHARACTERS_PER_SECOND = 20.0
"""Of a fast speaker: a voice that hands a clause over in pieces has made only a part of it."""

# For so long a reply's first sentence is waited for, before a part of it will do.
_PATIENCE_SECONDS = 0.25

Pace = Callable[[str], float]
"""Returns the seconds that each character of a clause takes, 0 if it takes no time."""


class Script:
    """The clauses of a reply as they become known; one reader.

    Args:
        hurry: Returns what there is of the next one, if it can be cut, and cuts it earlier if not.
    """

    def __init__(self, hurry: Callable[[], Sequence[str]] = tuple) -> None:
        self._hurry = hurry
        self._clauses: deque[str] = deque()
        self._changed = asyncio.Event()
        self._began: float | None = None
        self._ended = False

    @property
    def known(self) -> Sequence[str]:
        """Those that nobody has taken yet."""
        return tuple(self._clauses)

    def grow(self, clauses: Sequence[str]) -> None:
        """Take it that more was written, which completed these clauses, if any."""
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
        self._clauses.extend(clauses)
        self._changed.set()

    def end(self) -> None:
        """Say that there are no more."""
        self._ended = True
        self._changed.set()

    async def take(self, due: float | None = None) -> str | None:
        """Return the next one, once it is known; None at the end.

        Args:
            due: Time of the event loop at which it is needed, whole or not; None for the first,
                which is waited for a little.
        """
        while not self._clauses and not self._ended:
            if due is None and self._began is not None:
                due = self._began + _PATIENCE_SECONDS
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                self._clauses.extend(self._hurry())
                if not self._clauses:
                    await self._changed.wait()
        return self._clauses.popleft() if self._clauses else None


class Playback:
    """Tells when somebody who plays audio as soon as it comes will run out of it."""

    def __init__(self) -> None:
        self._ends = 0.0

    @property
    def begun(self) -> bool:
        """Whether there was any audio yet."""
        return bool(self._ends)

    @property
    def due(self) -> float:
        """Time of the event loop; now, if there is no audio left."""
        return max(self._ends, asyncio.get_running_loop().time())

    @property
    def hurry_at(self) -> float | None:
        """Time of the event loop from which on any clause is better than a sentence."""
        return self.due - _HURRY_SECONDS if self.begun else None

    def affords(self, pace: float) -> float:
        """Return how many characters can be spoken before the audio ends, or within 0.4 s.

        Args:
            pace: Seconds that a character takes.
        """
        return _affordable(self.due - asyncio.get_running_loop().time(), pace)

    def play(self, pcm: bytes, delay: float = 0.0) -> None:
        """Note that audio was sent: s16le mono at `TTS_SAMPLE_RATE`.

        Args:
            pcm: The audio.
            delay: Seconds after which it will be, where that is not now.
        """
        self._ends = self.due + delay + len(pcm) / (2 * TTS_SAMPLE_RATE)


def head_start(
    spoken: str, seconds: float, known: Sequence[str], language: str, pace: Pace
) -> float:
    """Return for how long to hold back a reply's first audio, so that it does not break off.

    A slow voice gains little by a short clause, and may lose what it has gained by the next.

    Args:
        spoken: The first clause.
        seconds: How much audio of it there is.
        known: The clauses after it, as far as they are known.
        language: Language code.
        pace: How fast the voice is.

    Returns:
        Seconds, at most 0.9; 0 for a voice that is fast enough.
    """
    if not spoken:
        return 0.0
    in_hand, lacking = max(seconds, len(spoken) / CHARACTERS_PER_SECOND), 0.0
    per_character = in_hand / len(spoken)
    for rest in known[:_LOOK_AHEAD]:
        while rest and lacking < _LONGEST_HEAD_START:
            each = pace(rest)
            part, rest = cut_short(rest, language, _affordable(in_hand + lacking, each))
            in_hand -= each * (len(part) + OVERHEAD)
            if each:
                lacking = max(lacking, _MARGIN_SECONDS - in_hand)
            in_hand += per_character * len(part)
    return min(lacking, _LONGEST_HEAD_START)


def _affordable(in_hand: float, pace: float) -> float:
    return max(in_hand, _SHORTEST_SECONDS) / pace - OVERHEAD if pace else inf
