"""Letting other processes go first."""

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Let other processes go first, also those of other sessions.

    Linux shares the cores fairly among sessions before it looks at the niceness of the processes in
    them, unless it is told to weigh the sessions too (sched(7), "The autogroup feature"). That of
    a terminal is left alone.

    Args:
        niceness: From 1, a little, to 19.
    """
    if not hasattr(os, "nice"):
        return
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        # Not there on other systems, and not everywhere on Linux.
        with suppress(OSError):
            _AUTOGROUP.write_text(str(niceness))
