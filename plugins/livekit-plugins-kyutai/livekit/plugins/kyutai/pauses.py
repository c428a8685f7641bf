"""The end of speech, by what the model thinks: unlike silence, it knows an unfinished sentence."""

import enum
import math
from collections.abc import Sequence

from livekit.plugins.kyutai.messages import FRAME_SAMPLES, SAMPLE_RATE

_STEP = FRAME_SAMPLES / SAMPLE_RATE
_FIRST_STEPS = 12
"""Steps at the start in which the model does not know yet."""


class Pause(enum.IntEnum):
    """How sure it is that the speaker has paused."""

    NONE = 0
    LIKELY = 1
    CERTAIN = 2


class PauseDetector:
    """Smooths the scores of the steps and compares them with two thresholds.

    The head, the first steps that are ignored and the smoothing are those of Kyutai's own agent,
    unmute; so is 0.6 as the score of a pause.
    """

    def __init__(
        self,
        *,
        likely: float | None,
        certain: float | None,
        head: int = 2,
        smoothing: float = 0.01,
    ) -> None:
        """Create a detector that has heard nothing yet.

        Args:
            likely: Score from which a pause is likely; None never.
            certain: Score from which it is certain; None never.
            head: Which of the scores: a pause of 0.5, 1, 2 or 3 s.
            smoothing: Time constant of the moving average, in seconds.
        """
        self._likely = math.inf if likely is None else likely
        self._certain = math.inf if certain is None else certain
        self._head = head
        self._weight = 1 - math.exp(-_STEP / smoothing) if smoothing > 0 else 1.0
        self._score = 0.0
        self._steps = 0

    @property
    def pause(self) -> Pause:
        """What is known now."""
        if self._steps <= _FIRST_STEPS:
            return Pause.NONE
        if self._score >= self._certain:
            return Pause.CERTAIN
        return Pause.LIKELY if self._score >= self._likely else Pause.NONE

    def step(self, scores: Sequence[float]) -> None:
        """Take the scores of one step.

        Args:
            scores: Probability of a pause of 0.5, 1, 2 and 3 s; a model without them has none.
        """
        if len(scores) > self._head:
            self._steps += 1
            self._score += self._weight * (scores[self._head] - self._score)
