"""Letting other processes go first."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")


def give_way(niceness: int) -> None:
    """Let other processes go first, at once and also those of other sessions.

    On Linux only what they leave over is taken from the processes of the same session
    (``SCHED_IDLE``): where cores are shared by niceness alone, who wakes up still waits for up to
    3 ms until the one before has had its slice, and work that several threads share wakes up often.

    Linux shares the cores fairly among sessions before it looks at the processes in them, unless it
    is told to weigh the sessions too (sched(7), "The autogroup feature"). That of a terminal is
    left alone.

    Args:
        niceness: From 1, a little, to 19.
    """
    if not hasattr(os, "nice"):
        return
    os.nice(niceness)
    if sys.platform == "linux":
        with suppress(OSError):  # some containers do not allow it
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():
        # Not there on other systems, and not everywhere on Linux.
        with suppress(OSError):
            _AUTOGROUP.write_text(str(niceness))
