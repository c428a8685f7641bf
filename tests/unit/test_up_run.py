"""``eloquence up`` as a process, with services that start in no time."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from agent.paths import conversations_dir
from agent.settings import Settings
from agent.up import run as run_module
from tests.support.ports import free_port

pytestmark = pytest.mark.unit

# Everything is real but what is started.
MAIN = """
import dataclasses, sys
import agent.up.run
from agent.settings import load
from tests.unit.test_up_supervisor import script, stub

DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
CHATTY = "import time\\nwhile True: print('tick', flush=True); time.sleep(0.1)"

async def plan(settings, say):
    services = [stub("a"), stub("b", needs=frozenset({"a"}))]
    if "deaf" in sys.argv:
        services.append(dataclasses.replace(script("deaf", DEAF), grace=60))
    if "chatty" in sys.argv:
        services.append(script("chatty", CHATTY))
    return services

agent.up.run.plan = plan
agent.up.run.run(load(), browser=False)
"""


class Up:
    """A running ``up``."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.socket = folder / "engine.sock"
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *arguments],
            env={**environment(folder), "WEB_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.children: list[psutil.Process] = []

    def read_until(self, text: str) -> None:
        """Read lines up to the first that contains ``text``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                self.children = psutil.Process(self.process.pid).children(recursive=True)
                return
        raise AssertionError(f"{text!r} was not printed: {self.lines}")


def environment(folder: Path) -> dict[str, str]:
    env = {
        **os.environ,
        "ELOQUENCE_CACHE_DIR": str(folder),
        "ENGINE_URL": f"unix:{folder}/engine.sock",
        "LIVEKIT_PORT": str(free_port()),
        "LIVEKIT_UDP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "LLM_PORT": str(free_port()),
        "WORKER_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",  # the models are not there, and need not come
    }
    env.pop("LIVEKIT_URL", None)
    env.pop("LLM_BASE_URL", None)
    return env


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*arguments: str) -> Up:
        started.append(Up(tmp_path, *arguments))
        return started[-1]

    yield start
    for up in started:
        up.process.kill()
        up.process.wait()
        if up.process.stdout:
            up.process.stdout.close()
        for child in up.children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_and_leaves_nothing(
    number: signal.Signals, launch: Callable[..., Up]
) -> None:
    up = launch()
    up.read_until("Eloquence is ready")
    assert up.lines[-1] == f"Eloquence is ready: http://127.0.0.1:{up.port}"
    assert len(up.children) == 2
    # What an engine leaves that was killed.
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(up.socket))
    before = time.monotonic()
    up.process.send_signal(number)
    assert up.process.wait(10) == 0
    assert time.monotonic() - before < 10
    assert psutil.wait_procs(up.children, timeout=1)[1] == []
    assert not up.socket.exists()


def test_every_line_is_an_object_if_json_is_asked_for(
    launch: Callable[..., Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    up = launch()
    up.read_until("Eloquence is ready")
    up.process.send_signal(signal.SIGINT)
    up.read_until("Stopping.")
    told = [json.loads(line) for line in up.lines]
    assert {"a", "b", "up"} == {line["process"] for line in told}
    assert {"process": "up", "level": "INFO", "message": "Stopping."}.items() <= told[-1].items()


def test_the_second_signal_waits_for_nobody(launch: Callable[..., Up]) -> None:
    up = launch("deaf")
    up.read_until("| deaf")
    assert len(up.children) >= 1
    up.process.send_signal(signal.SIGINT)
    up.read_until("Stopping.")
    up.process.send_signal(signal.SIGINT)
    up.process.wait(10)
    assert psutil.wait_procs(up.children, timeout=1)[1] == []


def test_a_reader_that_goes_away_stops_everything(launch: Callable[..., Up]) -> None:
    up = launch("chatty")
    up.read_until("| tick")
    assert up.process.stdout is not None
    up.process.stdout.close()
    up.process.wait(15)
    assert psutil.wait_procs(up.children, timeout=1)[1] == []


def test_a_taken_port_is_reported_in_one_sentence_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        finished = subprocess.run(
            [sys.executable, "-m", "agent", "up", "--no-browser"],
            env={**environment(tmp_path), "WEB_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1
    assert finished.stderr.startswith(f"eloquence: Port {port} (WEB_PORT) is already in use;")


if sys.platform.startswith("linux"):

    def test_nothing_outlives_a_kill(launch: Callable[..., Up]) -> None:
        up = launch()
        up.read_until("Eloquence is ready")
        up.process.kill()
        assert psutil.wait_procs(up.children, timeout=5)[1] == []


def test_what_is_kept_of_calls_goes_with_it_and_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(ELOQUENCE_CACHE_DIR=tmp_path)
    folder = conversations_dir(tmp_path)
    seen: list[bool] = []

    async def up(*_: object, **__: object) -> None:
        seen.append(folder.exists())
        folder.mkdir(parents=True)
        (folder / "call.json").write_text("what was said")

    folder.mkdir(parents=True)
    (folder / "killed.json").write_text("what was said before")
    monkeypatch.setattr(run_module, "check_ports", lambda _: None)
    monkeypatch.setattr(run_module, "_up", up)
    run_module.run(settings, browser=False)
    assert seen == [False]
    assert not folder.exists()
