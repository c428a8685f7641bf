"""Two workers and two calls at once."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from agent.readiness import fetch_readiness
from tests.support.calls import converse
from tests.support.ports import free_port
from tests.support.speech import Transcriber
from tests.support.stack import Stack

pytestmark = pytest.mark.e2e


@pytest.fixture
async def second_worker(stack: Stack, tmp_path: Path) -> AsyncIterator[Path]:
    """Another worker on the same server and engine; yields its log."""
    port, log = free_port(), tmp_path / "worker.log"
    env = {**stack.worker_env, "WORKER_PORT": str(port), "DRAIN_SECONDS": "2"}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "worker"],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        await _ready(port, process, log)
        yield log
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 20)


async def _ready(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.poll() is None, log.read_text()
            readiness = await fetch_readiness(f"http://127.0.0.1:{port}")
            if readiness and readiness.ready:
                return
            await asyncio.sleep(0.1)


async def test_two_workers_answer_two_calls_at_once(
    stack: Stack,
    second_worker: Path,
    say: Callable[[str, str], np.ndarray],
    transcriber: Transcriber,
    tmp_path: Path,
) -> None:
    questions = {
        "Paris": say("What is the capital of France?", "en"),
        "Berlin": say("What is the capital of Germany?", "en"),
    }
    folders = [tmp_path / city for city in questions]
    for folder in folders:
        folder.mkdir()
    reports = await asyncio.gather(
        *(
            converse(stack.page_url, folder, [question])
            for folder, question in zip(folders, questions.values(), strict=True)
        )
    )
    for city, report in zip(questions, reports, strict=True):
        heard = transcriber.transcribe(report.turns[0].answer_audio, report.agent.rate, "en")
        assert city in heard
