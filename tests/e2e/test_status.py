"""``eloquence status`` beside a running ``eloquence up``."""

import json
import subprocess
import sys
import time

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.e2e


def status(stack: Stack) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agent", "status", "--json"],
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_every_part_of_a_running_stack_is_ready(stack: Stack) -> None:
    done = status(stack)
    # Earlier calls may have kept this machine so busy that a part answers late for once.
    deadline = time.monotonic() + 30
    while done.returncode and time.monotonic() < deadline:
        done = status(stack)
    answer = json.loads(done.stdout)
    assert {name: part["state"] for name, part in answer["parts"].items()} == dict.fromkeys(
        ("livekit", "engine", "llm", "worker", "web"), "ready"
    )
    assert "stt" in answer["parts"]["engine"]["components"]
    assert done.returncode == 0
