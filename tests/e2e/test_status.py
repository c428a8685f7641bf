"""``eloquence status`` beside a running ``eloquence up``."""

import json
import subprocess
import sys

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.e2e


def test_every_part_of_a_running_stack_is_ready(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agent", "status", "--json"],
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    answer = json.loads(done.stdout)
    assert {name: part["state"] for name, part in answer["parts"].items()} == dict.fromkeys(
        ("livekit", "engine", "llm", "worker", "web"), "ready"
    )
    assert "stt" in answer["parts"]["engine"]["components"]
    assert done.returncode == 0
