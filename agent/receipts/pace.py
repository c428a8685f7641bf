"""How long this call's answers take, from the end of the caller's speech to their first sound."""

from collections import deque

from agent.receipts.receipt import Receipt

_TURNS = 3


class AnswerPace:
    """Remembers the last few turns of a call."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._seconds: deque[float] = deque(maxlen=_TURNS)

    def take(self, receipt: Receipt) -> None:
        """Take the receipt of a turn; one without an answer tells nothing."""
        spoken = [stage.end for stage in receipt.stages if stage.name == "tts"]
        if receipt.answered and spoken:
            # One that was asked for when the turn was over takes as long as that took, and more.
            self._seconds.append(spoken[0] / 1000 if receipt.speculation.kept else 0.0)

    @property
    def least(self) -> float:
        """The shortest of the last three times, in seconds; 0 until there are three.

        It is 0 as well where one of them was not written while the turn was being confirmed.
        """
        return self.least_so_far if len(self._seconds) == _TURNS else 0.0

    @property
    def least_so_far(self) -> float:
        """The same from the first answer on."""
        return min(self._seconds, default=0.0)
