"""Decides whether a voice engine is worth asking."""

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

BreakerState = Literal["closed", "half-open", "open"]


class Breaker:
    """Opens when an engine fails again and again; closes when a probe has shown that it works.

    Args:
        failures: How many within `window` open it.
        window: Seconds in which they count.
        first_delay: Seconds until the first probe; each further one waits twice as long.
        longest_delay: Most seconds between two probes.
        clock: Any steady clock, in seconds.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        window: float = 30.0,
        first_delay: float = 2.0,
        longest_delay: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = failures
        self._window = window
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._clock = clock
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._probes = 0
        self.state: BreakerState = "closed"

    @property
    def delay(self) -> float:
        """Seconds to wait before the next probe."""
        return min(self._longest_delay, self._first_delay * 2.0 ** min(self._probes, 30))

    def failed(self) -> bool:
        """Note a failure; return whether it opened the breaker."""
        now = self._clock()
        self._failed_at.append(now)
        enough = len(self._failed_at) == self._most
        if self.state == "closed" and enough and now - self._failed_at[0] <= self._window:
            self.state = "open"
            return True
        return False

    def worked(self) -> None:
        """Note that the engine spoke for somebody."""
        if self.state == "closed":
            self._probes = 0
            self._failed_at.clear()

    def trip(self) -> bool:
        """Open it at once; return whether it was closed."""
        was_closed = self.state == "closed"
        self.state = "open"
        return was_closed

    def probe(self) -> None:
        """Note that a probe begins."""
        self._probes += 1
        self.state = "half-open"

    def probed(self, *, works: bool) -> None:
        """Note how the probe ended."""
        if works:
            # An engine that works for probes only has to wait longer the next time.
            self.state = "closed"
            self._failed_at.clear()
        else:
            self.state = "open"
