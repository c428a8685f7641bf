"""``eloquence doctor`` where nothing runs: it says what is missing, and ends."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.stack import stack_environment

pytestmark = pytest.mark.unit


def doctor(folder: Path, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
    root = Path(__file__).parents[2]
    given = {**stack_environment(folder, **env), "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-m", "agent", "doctor", *options],
        env=given,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_each_part_that_does_not_run_is_a_line_with_the_command_that_starts_it(
    tmp_path: Path,
) -> None:
    done = doctor(tmp_path)
    assert done.returncode == 1
    assert not done.stderr
    for part in ("engine", "worker", "web"):
        assert f"the {part} process is not running." in done.stdout
    assert "→ start everything with `make run`." in done.stdout
    assert "call (needs livekit)" in done.stdout
    assert "Capacity: unknown" in done.stdout


def test_json_has_everything(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", ELOQUENCE_CACHE_DIR=str(tmp_path / "cache"))
    body = json.loads(done.stdout)
    assert done.returncode == 1
    assert body["healthy"] is False
    assert body["capacity"] is None
    assert body["seconds"] < 15
    assert body["checks"]["processor"]["level"] in ("ok", "warn")
    assert body["checks"]["models"]["level"] == "fail"
    assert "models pull" in body["checks"]["models"]["remedy"]
    assert body["not_checked"]["speech"] == "engine"
    for check in body["checks"].values():
        assert bool(check["remedy"]) == (check["level"] != "ok")


def test_settings_that_cannot_be_read_are_one_line_and_the_machine_is_examined(
    tmp_path: Path,
) -> None:
    done = doctor(tmp_path, MAX_CALLS="many")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("fail")] == [
        next(line for line in lines if "MAX_CALLS is 'many'" in line)
    ]
    assert "processor" in done.stdout
    assert "ports (needs settings)" in done.stdout


def test_servers_that_accept_and_say_nothing_do_not_hold_it_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        began = time.monotonic()
        done = doctor(
            tmp_path,
            LIVEKIT_URL=f"ws://127.0.0.1:{port}",
            LIVEKIT_API_KEY="k",
            LIVEKIT_API_SECRET="s" * 32,
            LLM_BASE_URL=f"http://127.0.0.1:{port}/v1",
            ENGINE_URL=f"http://127.0.0.1:{port}",
            PATH=os.environ["PATH"],
        )
    # Fifteen seconds, and the start of Python on a busy machine.
    assert time.monotonic() - began < 30
    assert done.returncode == 1
    assert "does not answer within" in done.stdout
    assert "does not answer in time" in done.stdout
