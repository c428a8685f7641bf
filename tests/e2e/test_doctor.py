"""``eloquence doctor`` beside a running ``eloquence up``."""

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.support.stack import Stack

pytestmark = pytest.mark.e2e


def doctor(stack: Stack, **env: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "agent", "doctor", "--json"],
        env={**stack.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    body: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == body["healthy"], done
    return body


def failed(body: dict[str, Any]) -> list[str]:
    return [name for name, check in body["checks"].items() if check["level"] == "fail"]


def test_a_healthy_stack_is_well_and_gets_an_estimate(stack: Stack) -> None:
    body = doctor(stack)
    deadline = time.monotonic() + 60
    # Earlier calls may have kept this machine so busy that a part answers late for once.
    while not (body["healthy"] and not body["not_checked"]) and time.monotonic() < deadline:
        body = doctor(stack)
    assert failed(body) == []
    assert body["not_checked"] == {}
    assert body["checks"]["call"]["figures"]["agent_heard_seconds"] > 0
    assert "heard" in body["checks"]["speech"]["found"]
    assert body["capacity"]["latency_seconds"]
    assert int(body["capacity"]["settings"]["MAX_CALLS"]) >= 1
