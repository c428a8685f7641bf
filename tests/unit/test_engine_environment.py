"""What the engine's libraries read when they are loaded."""

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(sys.platform != "linux", reason="libgomp is Linux'"),
]

SHOW = """
import os, livekit.plugins.local.engine
print(os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"])
"""


def shown(**env: str) -> list[str]:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    others = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run(
        [sys.executable, "-c", SHOW],
        env={**others, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.split()


def test_threads_wait_awake_for_a_moment() -> None:
    policy, spins = shown()
    # Without a bound, an idle engine would keep all cores busy for minutes after each transcript.
    assert policy == "ACTIVE"
    assert 1_000 <= int(spins) <= 1_000_000


def test_an_operator_may_know_better() -> None:
    assert shown(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="7") == ["PASSIVE", "7"]
