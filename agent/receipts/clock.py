"""The difference between two clocks, from questions and answers that travel between them.

As in NTP (RFC 5905): a question that was sent and answered at known times bounds the difference to
an interval as wide as the journey took. The shortest journey counts. A difference outside the
interval of another means that a clock has jumped; what was known before is then worth nothing.
"""

from collections import deque
from dataclasses import dataclass
from math import isfinite

# Clocks drift apart by less than this; measurements are kept for so long.
_DRIFT = 200e-6
_KEPT_SECONDS = 60.0
_KEPT_SAMPLES = 32
# A longer journey tells too little.
_LONGEST_JOURNEY = 1.0
# For rounding on the other side.
_SLACK = 0.002


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    offset: float
    journey: float


class ClockOffset:
    """How far another clock is ahead of ours; times in seconds."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=_KEPT_SAMPLES)

    def learn(self, sent: float, received: float, answered: float, back: float) -> bool:
        """Take a question and its answer; return whether they tell anything.

        Args:
            sent: When the question left, by our clock.
            received: When it arrived, by the other.
            answered: When the answer left, by the other.
            back: When that arrived, by ours.
        """
        if not all(map(isfinite, (sent, received, answered, back))) or answered < received:
            return False
        journey = (back - sent) - (answered - received)
        if not 0.0 <= journey <= _LONGEST_JOURNEY:
            return False
        sample = _Sample(back, ((received - sent) + (answered - back)) / 2, journey)
        while self._samples and back - self._samples[0].at > _KEPT_SECONDS:
            self._samples.popleft()
        if any(not _agree(each, sample) for each in self._samples):
            self._samples.clear()
        self._samples.append(sample)
        return True

    def ours(self, theirs: float) -> tuple[float, float] | None:
        """Return a time of the other clock by ours, and how far off that may be, if we know."""
        if not self._samples:
            return None
        best = min(self._samples, key=lambda each: each.journey)
        return theirs - best.offset, best.journey / 2


def _agree(one: _Sample, other: _Sample) -> bool:
    """Tell whether there is a difference of the clocks that both samples allow."""
    drift = _DRIFT * abs(one.at - other.at)
    return abs(one.offset - other.offset) <= (one.journey + other.journey) / 2 + drift + _SLACK
