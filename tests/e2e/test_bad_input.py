"""A full disk, an ``.env`` of nonsense, a silent caller: each is told, and the rest goes on."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from livekit import rtc

from agent.caller.onset import SAMPLE_RATE
from agent.paths import KEEP_CONVERSATIONS
from tests.support.line import on_the_line
from tests.support.speech import CAPITALS, Transcriber
from tests.support.stack import Stack, launch, stack_environment
from tests.support.worker import Worker, run_worker

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]

ROOT = Path(__file__).parents[2]
IMPATIENT = "impatient"
SILENCE_SECONDS = 5


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory on a disk that takes not one more byte."""
    assert os.geteuid() == 0, "file systems are mounted by root alone; run this test as root"
    folder = tmp_path_factory.mktemp("full")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    try:
        with contextlib.suppress(OSError):
            (folder / "filler").write_bytes(bytes(1 << 20))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(
    stack: Stack, full_disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Worker]:
    """A worker that soon hangs up on silent callers, and whose disk is full."""
    env = {
        **stack.worker_env,
        "AGENT_NAME": IMPATIENT,
        "SILENCE_SECONDS": str(SILENCE_SECONDS),
        "ELOQUENCE_CACHE_DIR": str(full_disk),
        KEEP_CONVERSATIONS: "1",
    }
    async with run_worker(tmp_path_factory.mktemp("impatient"), env) as worker:
        await worker.ready()
        yield worker


def start(folder: Path, **overrides: str) -> "subprocess.CompletedProcess[str]":
    """Run ``eloquence up`` where it cannot come far."""
    return subprocess.run(
        [sys.executable, "-m", "agent", "up", "--no-browser"],
        env=stack_environment(folder, **overrides),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_room_nothing_starts(full_disk: Path, tmp_path: Path) -> None:
    done = start(tmp_path, ELOQUENCE_CACHE_DIR=str(full_disk))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "where 0 bytes are free" in line
    assert "ELOQUENCE_CACHE_DIR" in line


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"SILENCE_SECONDS=soon", "SILENCE_SECONDS is 'soon'"),
        (b"SILENCE_SECOND=9", "did you mean SILENCE_SECONDS?"),
        (b"\x7fELF\xff\x00", ".env is not text"),
    ],
)
def test_with_nonsense_in_the_env_file_nothing_starts(
    tmp_path: Path, content: bytes, named: str
) -> None:
    (tmp_path / ".env").write_bytes(content)
    done = start(tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert named in line


async def test_with_a_full_disk_calls_are_answered(
    impatient: Worker, stack: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    async with on_the_line(stack.page_url, tmp_path, stack.signing_key(IMPATIENT)) as caller:
        await caller.hears("help you", since=0)
        await caller.listened_to()
        asked = await caller.says(say("What is the capital of France?", "en"))
        await caller.hears("Paris", since=asked)
        heard = transcriber.transcribe(
            await caller.heard(since=asked), SAMPLE_RATE, "en", about=CAPITALS
        )
        assert "Paris" in heard
    complaints = [line for line in impatient.output.splitlines() if "cannot be kept" in line]
    assert len(complaints) == 1
    assert "No space left on device" in complaints[0]
    assert "ELOQUENCE_CACHE_DIR" in complaints[0]
    assert "Traceback" not in impatient.output


async def test_a_caller_who_stays_silent_is_asked_and_then_hung_up_on(
    impatient: Worker, stack: Stack, transcriber: Transcriber, tmp_path: Path
) -> None:
    async with on_the_line(stack.page_url, tmp_path, stack.signing_key(IMPATIENT)) as caller:
        ended: list[rtc.DisconnectReason.ValueType] = []
        caller.room.on("disconnected", ended.append)
        await caller.until(lambda: ended, bool, 60)
        assert ended == [rtc.DisconnectReason.ROOM_DELETED]
        heard = transcriber.transcribe(caller.recording(since=0), SAMPLE_RATE, "en")
        _, question, answer = heard.partition("still there")
        assert question
        assert "hang up" in answer
        assert "bye" in answer
    assert "silent for too long" in impatient.output


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the source, with an ``.env`` beside it."""
    left_out = shutil.ignore_patterns("node_modules", "__pycache__")
    for part in ("agent", "plugins"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=left_out)
    (tmp_path / ".env").write_text("# nothing yet\n")
    return tmp_path


@pytest.fixture
def dev(stack: Stack, source: Path) -> Iterator[Stack]:
    """``eloquence dev``, which shares the call server and the language model of the stack."""
    plugin = source / "plugins" / "livekit-plugins-local"
    server = {name: stack.worker_env[name] for name in stack.worker_env if "LIVEKIT_" in name}
    started = launch(
        source,
        command="dev",
        cwd=source,
        **server,
        AGENT_NAME="edited",
        LLM_BASE_URL=f"http://127.0.0.1:{stack.env['LLM_PORT']}/v1",
        PYTHONPATH=os.pathsep.join([str(source), str(plugin)]),
    )
    try:
        started.ready()
        yield started
    finally:
        started.stop()


async def test_an_env_file_that_becomes_nonsense_leaves_calls_alone(
    dev: Stack, source: Path, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    async with on_the_line(dev.page_url, tmp_path) as caller:
        await caller.hears("help you", since=0)
        await caller.listened_to()
        (source / ".env").write_text("SILENCE_SECONDS=soon\n")
        line = await asyncio.to_thread(dev.wait_for, "SILENCE_SECONDS", 30)
        assert "goes on until the next save" in line
        asked = await caller.says(say("What is the capital of France?", "en"))
        await caller.hears("Paris", since=asked)
        heard = transcriber.transcribe(
            await caller.heard(since=asked), SAMPLE_RATE, "en", about=CAPITALS
        )
        assert "Paris" in heard
        assert len(caller.came) == 1
    # Nor does it keep others from calling.
    async with on_the_line(dev.page_url, tmp_path) as caller:
        await caller.hears("help you", since=0)
