import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

AUTOGROUP = Path("/proc/self/autogroup")
GIVE_WAY = """
from pathlib import Path
import os
from agent.priority import give_way
give_way(7)
group = Path("/proc/self/autogroup")
print(os.nice(0), group.read_text().split()[-1] if group.exists() else "none")
"""


def niceness(*, own_session: bool) -> tuple[int, str]:
    """Return that of a process which gives way, and that of its session."""
    done = subprocess.run(
        [sys.executable, "-c", GIVE_WAY],
        start_new_session=own_session,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    own, session = done.stdout.split()
    return int(own), session


def test_a_process_gives_way_to_those_of_other_sessions_too() -> None:
    assert niceness(own_session=True) == (os.nice(0) + 7, "7" if AUTOGROUP.exists() else "none")


def test_the_session_of_a_terminal_is_left_alone() -> None:
    before = AUTOGROUP.read_text().split()[-1] if AUTOGROUP.exists() else "none"
    assert niceness(own_session=False) == (os.nice(0) + 7, before)
