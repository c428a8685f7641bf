"""The speech engine dies in mid-call: the caller hears of it, and the conversation goes on."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.calls import converse
from tests.support.engine_process import EngineProcess
from tests.support.speech import Transcriber
from tests.support.stack import Stack
from tests.support.worker import run_worker

pytestmark = pytest.mark.e2e


async def test_a_killed_engine_is_apologised_for_and_the_conversation_goes_on(
    stack: Stack, say: Callable[[str, str], np.ndarray], transcriber: Transcriber, tmp_path: Path
) -> None:
    engine = EngineProcess(tmp_path, stack.worker_env)
    engine.start()
    await engine.ready()
    second_turn = asyncio.Event()

    def follow(line: str) -> None:
        if line.startswith("turn 1"):
            second_turn.set()

    async def kill_in_mid_answer() -> None:
        await second_turn.wait()
        await engine.speaking()
        # Into the story's first sentence.
        await asyncio.sleep(1.0)
        engine.kill()
        engine.start()

    env = {**stack.worker_env, "AGENT_NAME": "survivor", "ENGINE_URL": engine.address}
    try:
        async with run_worker(tmp_path, env) as worker:
            await worker.ready()
            killer = asyncio.create_task(kill_in_mid_answer())
            report = await converse(
                stack.page_url,
                tmp_path,
                [
                    say("Tell me a long story about a dragon and a princess.", "en"),
                    say("What is the capital of Germany?", "en"),
                ],
                access=stack.signing_key("survivor"),
                progress=follow,
            )
            await killer
    finally:
        engine.kill()
    story, answer = report.turns
    heard = transcriber.transcribe(story.answer_audio, report.agent.rate, "en")
    assert "something went wrong" in heard
    heard = transcriber.transcribe(answer.answer_audio, report.agent.rate, "en")
    assert "Berlin" in heard
