"""``eloquence up``: from nothing to a call, and back to nothing."""

import re
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.stack import READY_LINE, Stack, launch, stack_environment

pytestmark = pytest.mark.e2e


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that merely waits to be collected by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_ctrl_c_ends_everything_and_leaves_nothing_behind(tmp_path: Path) -> None:
    stack = launch(tmp_path)
    stack.wait_for(READY_LINE)
    family = psutil.Process(stack.process.pid).children(recursive=True)
    names = " ".join(" ".join(process.cmdline()) for process in family)
    for command in ("engine", "llm", "worker", "web", "livekit-server"):
        assert command in names
    began = time.monotonic()
    assert stack.stop() == 0
    assert time.monotonic() - began < 10
    assert [process for process in family if alive(process)] == []
    assert not (tmp_path / "engine.sock").exists()


def test_a_busy_port_is_named_before_anything_starts(stack: Stack, tmp_path: Path) -> None:
    port = stack.env["WEB_PORT"]
    done = subprocess.run(
        [sys.executable, "-m", "agent", "up", "--no-browser"],
        env=stack_environment(tmp_path, WEB_PORT=port),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert re.search(rf"{port}.*WEB_PORT", done.stderr)
    assert len(done.stderr.splitlines()) == 1


def test_nothing_listens_beyond_loopback(stack: Stack) -> None:
    """What listens elsewhere could be reached from the network."""
    family = psutil.Process(stack.process.pid).children(recursive=True)
    listening = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
