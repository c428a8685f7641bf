"""How many processor cores this process may use."""

import os
from contextlib import suppress
from math import ceil
from pathlib import Path

# Control groups, version 2: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
_LIMIT = Path("/sys/fs/cgroup/cpu.max")


def available_cores(limit: Path = _LIMIT) -> int:
    """Return how many cores this process may use, a container's share of them included.

    Threads beyond that share would be stopped together, in the middle of their work.

    Args:
        limit: The container's file that tells its share.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return min(cores, _share(limit) or cores)


def _share(limit: Path) -> int | None:
    # Not there outside of containers, and "max" where there is no limit.
    with suppress(OSError, ValueError, ZeroDivisionError):
        quota, period = map(int, limit.read_text().split())
        return ceil(quota / period)
    return None
