"""How long to wait before a service that died is started again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits twice as long after each death that follows soon after the last.

    Attributes:
        first: Seconds to wait after the first death.
        longest: Seconds that the wait never exceeds.
        steady: A service that lived for so many seconds has its earlier deaths forgiven.
    """

    first: float = 0.5
    longest: float = 30.0
    steady: float = 60.0

    def pause(self, deaths: int) -> float:
        """Return the seconds to wait after so many deaths in a row, at least one."""
        # The exponent is bounded because a float is not.
        return float(min(self.longest, self.first * 2.0 ** min(deaths - 1, 32)))
