"""The program ends with the status of its command, after a call as well."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

SCRIPT = """
import atexit, sys, threading
import agent.cli.program as program

if {called}:
    sys.modules["agent.caller.call"] = sys
    # What a library left running, for which an orderly end would wait.
    threading.Thread(target=threading.Event().wait).start()
program.main = lambda: sys.exit({status})
atexit.register(print, "good-bye")
print("done")
program.program()
"""


@pytest.mark.parametrize("called", [True, False])
@pytest.mark.parametrize(("status", "code"), [("None", 0), ("0", 0), ("3", 3), ("'no'", 1)])
def test_it_ends_with_the_status_of_its_command(status: str, code: int, called: bool) -> None:
    script = SCRIPT.format(called=called, status=status)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == code
    assert ended.stdout.split() == ["done", "good-bye"]


def test_a_command_that_just_returns_has_succeeded() -> None:
    script = SCRIPT.format(called=True, status=0).replace("sys.exit(0)", "None")
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0
