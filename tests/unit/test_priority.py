import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

SHOW = """
import os
from pathlib import Path
def session():
    group = Path("/proc/self/autogroup")
    # Not everywhere, and empty where the kernel does not use it for this process.
    return group.read_text().split()[-1:] if group.exists() else []
"""
GIVE_WAY = """
from agent.priority import give_way
before = session()
give_way(7)
print(os.nice(0), before == session(), os.sched_getscheduler(0) == os.SCHED_IDLE, *session())
"""


def niceness(*, own_session: bool) -> tuple[int, bool, list[str]]:
    """Return that of a process which gives way, whether its session's is as before, and that.

    It must take only what others leave over.
    """
    done = subprocess.run(
        [sys.executable, "-c", SHOW + GIVE_WAY],
        start_new_session=own_session,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    own, same, idle, *session = done.stdout.split()
    assert idle == "True"
    return int(own), same == "True", session


def test_a_process_gives_way_to_those_of_other_sessions_too() -> None:
    own, _, session = niceness(own_session=True)
    assert own == os.nice(0) + 7
    assert session in ([], ["7"])


def test_the_session_of_a_terminal_is_left_alone() -> None:
    own, same, _ = niceness(own_session=False)
    assert own == os.nice(0) + 7
    assert same
