"""What processes cost, and what else the machine does meanwhile."""

from time import perf_counter

import psutil

_MEGABYTE = 1_000_000


class Usage:
    """What a process costs."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far, of all its threads."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def megabytes(self) -> float:
        """Memory in use (resident set), in MB."""
        return float(self._process.memory_info().rss) / _MEGABYTE


class Bystanders:
    """How busy everything else keeps the machine, from now on.

    Figures from a machine on which others work are not to be trusted.
    """

    def __init__(self) -> None:
        self._began = perf_counter()
        self._spent = _others()

    @property
    def share(self) -> float:
        """Their part of all processor time since then, in [0, 1]."""
        available = (perf_counter() - self._began) * (psutil.cpu_count() or 1)
        return min(1.0, max(0.0, (_others() - self._spent) / available))


def _others() -> float:
    """Return the processor seconds that were not spent by this process or its descendants."""
    times = psutil.cpu_times()._asdict()
    # Linux counts the time of guests a second time, as that of users.
    idle = sum(times.get(kind, 0.0) for kind in ("idle", "iowait", "guest", "guest_nice"))
    me = psutil.Process()
    spent = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return float(sum(times.values()) - idle - sum(own.user + own.system for own in spent))
