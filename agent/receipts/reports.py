"""What a caller reports of its own ears, as far as it makes sense.

A report is a data message on `EAR_TOPIC`, a JSON object with ``stopped`` (the caller stopped to
speak), ``heard`` (the agent's speech began at its ear) or both: milliseconds of its own clock. That
clock is read through the RPC method `CLOCK_METHOD`, which answers with a JSON object of the times
at which the question was ``received`` and the answer ``sent``.

Nothing that a caller sends can do more than leave its own receipts without these times.
"""

import json
from collections import deque
from collections.abc import Mapping
from math import isfinite
from typing import Literal

from agent.receipts.clock import ClockOffset
from agent.receipts.draft import Report
from agent.receipts.observer import Turn

EAR_TOPIC = "eloquence.ear"
CLOCK_METHOD = "eloquence.clock"

Ignored = Literal["malformed", "too_many", "no_clock", "implausible", "late"]

_LARGEST_BYTES = 256
# More than anybody can say or hear: at once, and for each second.
_BURST = 20.0
_PER_SECOND = 5.0
# The agent's measure of when speech ended and the caller's may differ by the journey and, where
# there is noise, by a word's last sound.
_STOPPED_BEFORE = 0.8
_STOPPED_AFTER = 0.05
# A sound can be heard no earlier than it was sent, but for the error of the clocks; and it is no
# answer any more when it comes so late.
_HEARD_BEFORE = 0.03
HEARD_PATIENCE = 3.0
_KEPT = 16


class Reports:
    """Takes the reports of one call.

    Attributes:
        clock: The caller's clock.
    """

    def __init__(self) -> None:
        self.clock = ClockOffset()
        self._allowance = _BURST
        self._filled_at: float | None = None
        self._stopped: deque[float] = deque(maxlen=_KEPT)

    def take(
        self, data: bytes, turn: Turn | None, now: float
    ) -> tuple[Report | None, Ignored | None]:
        """Take a message.

        Args:
            data: The message.
            turn: The turn whose answer was not heard yet, if there is one.
            now: The time, by the observer's clock.

        Returns:
            When the answer was heard, if the message says so; why something is ignored, if it is.
        """
        if not self._allowed(now):
            return None, "too_many"
        times = _times(data)
        if times is None:
            return None, "malformed"
        heard: Report | None = None
        for name, said in times.items():
            report = self._place(said)
            if report is None:
                return None, "no_clock"
            if report.at > now + report.error:
                return None, "implausible"
            if name == "stopped":
                self._stopped.append(said)
            else:
                heard = report
        # What is heard while no answer is awaited is the rest of one, or a greeting.
        if heard is None or turn is None or turn.packet is None:
            return None, None
        if heard.at < turn.packet - _HEARD_BEFORE - heard.error:
            return None, "implausible"
        if min(heard.at, now) > turn.packet + HEARD_PATIENCE:
            return None, "late"
        return heard, None

    def stopped(self, turn: Turn) -> Report | None:
        """Return when the caller of a turn stopped to speak, if it has said so.

        It is placed anew, so that it is as far from what was heard as by the caller's own clock.
        """
        fitting = [
            place
            for said in self._stopped
            if (place := self._place(said))
            and -_STOPPED_BEFORE <= place.at - turn.ended <= _STOPPED_AFTER
        ]
        return min(fitting, key=lambda each: abs(each.at - turn.ended), default=None)

    def _place(self, said: float) -> Report | None:
        place = self.clock.ours(said / 1000)
        return Report(*place, said) if place else None

    def _allowed(self, now: float) -> bool:
        if self._filled_at is not None:
            refill = max(0.0, now - self._filled_at) * _PER_SECOND
            self._allowance = min(_BURST, self._allowance + refill)
        self._filled_at = now
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True


def _times(data: bytes) -> Mapping[str, float] | None:
    if len(data) > _LARGEST_BYTES:
        return None
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not body or body.keys() - {"stopped", "heard"}:
        return None
    times: dict[str, float] = {}
    for name, value in body.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e15:
            return None
        if not isfinite(value):
            return None
        times[name] = float(value)
    return times
