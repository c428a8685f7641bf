"""How busy a model is, as one number that a worker can report to LiveKit."""

import math

# Long enough to see several turns of every call, short enough that a lull shows.
_SPAN_SECONDS = 10.0
# Above this share of the time, calls wait for each other noticeably.
_FULL = 0.8
# A refusal was heard by a caller: no further call for as long.
_REFUSED_SECONDS = 5.0


class Load:
    """The share of recent time that a model spent on work that callers wait for."""

    def __init__(self) -> None:
        self._busy = 0.0
        self._at = -math.inf
        self._refused_at = -math.inf

    def worked(self, began: float, ended: float) -> None:
        """Note that the model was busy, in seconds of any steady clock."""
        kept = math.exp(-(ended - began) / _SPAN_SECONDS)
        self._busy = self._share(began) * kept + 1 - kept
        self._at = ended

    def refused(self, now: float) -> None:
        """Note that work had to be refused."""
        self._refused_at = now

    def at(self, now: float) -> float:
        """Return the load in [0, 1]; 1 means that another call would not be served well."""
        if now - self._refused_at < _REFUSED_SECONDS:
            return 1.0
        return min(1.0, self._share(now) / _FULL)

    def _share(self, now: float) -> float:
        return self._busy * math.exp(-(now - self._at) / _SPAN_SECONDS)
