"""Two workers and two calls at once."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.calls import converse
from tests.support.speech import CAPITALS, Transcriber
from tests.support.stack import Stack
from tests.support.worker import run_worker

pytestmark = pytest.mark.e2e


async def test_two_workers_answer_two_calls_at_once(
    stack: Stack, say: Callable[[str, str], np.ndarray], transcriber: Transcriber, tmp_path: Path
) -> None:
    questions = {
        "Paris": say("What is the capital of France?", "en"),
        "Berlin": say("What is the capital of Germany?", "en"),
    }
    folders = [tmp_path / city for city in questions]
    for folder in folders:
        folder.mkdir()
    async with run_worker(tmp_path, stack.worker_env) as second:
        await second.ready()
        reports = await asyncio.gather(
            *(
                converse(stack.page_url, folder, [question])
                for folder, question in zip(folders, questions.values(), strict=True)
            )
        )
    for city, report in zip(questions, reports, strict=True):
        heard = transcriber.transcribe(
            report.turns[0].answer_audio, report.agent.rate, "en", about=CAPITALS
        )
        assert city in heard


async def test_a_stopping_worker_lets_its_call_end(
    stack: Stack, say: Callable[[str, str], np.ndarray], tmp_path: Path
) -> None:
    """SIGTERM in mid-call: the answer is still heard, and the worker ends after the call."""
    env = {**stack.worker_env, "AGENT_NAME": "draining"}
    async with run_worker(tmp_path, env, DRAIN_SECONDS="60") as worker:
        await worker.ready()
        call = asyncio.create_task(
            converse(
                stack.page_url,
                tmp_path,
                [say("What is the capital of France?", "en")],
                access=stack.signing_key("draining"),
            )
        )
        await worker.prints("received job request")
        worker.process.terminate()
        report = await call
        assert "Paris" in report.turns[0].agent_transcript
        assert await worker.exits() == 0
