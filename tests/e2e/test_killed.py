"""Each process is killed in mid-call, one after another: what the caller hears."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from agent.readiness import fetch_readiness
from tests.support.calls import converse
from tests.support.speech import Transcriber
from tests.support.stack import Stack, run_stack

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, whose processes are killed."""
    with run_stack(tmp_path_factory.mktemp("mortal")) as stack:
        yield stack


def kill(stack: Stack, command: str) -> None:
    """End the process that runs ``eloquence COMMAND`` without warning."""
    for process in psutil.Process(stack.process.pid).children():
        if process.cmdline()[-1] == command:
            process.kill()
            return
    raise AssertionError(f"no process runs {command}:\n{stack.output}")


async def survive(
    stack: Stack, say: Say, transcriber: Transcriber, folder: Path, command: str
) -> list[str]:
    """Ask three questions and kill a process as the second begins; return what was heard."""

    def follow(line: str) -> None:
        if line.startswith("turn 2"):
            kill(stack, command)

    questions = [
        say("What is the capital of France?", "en"),
        say("What is the capital of Spain?", "en"),
        say("What is the capital of Germany?", "en"),
    ]
    report = await converse(stack.page_url, folder, questions, progress=follow, answer_timeout=60)
    return [
        transcriber.transcribe(turn.answer_audio, report.agent.rate, "en") for turn in report.turns
    ]


async def test_without_the_page_the_call_goes_on(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    first, second, third = await survive(mortal, say, transcriber, tmp_path, "web")
    assert "Paris" in first
    assert "Madrid" in second
    assert "Berlin" in third
    async with asyncio.timeout(30):
        while not (readiness := await fetch_readiness(mortal.page_url)) or not readiness.ready:
            await asyncio.sleep(0.1)


async def test_after_a_crash_of_the_language_model_the_agent_apologises_and_answers_again(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    first, second, third = await survive(mortal, say, transcriber, tmp_path, "llm")
    assert "Paris" in first
    assert "cannot think" in second or "Madrid" in second
    assert "Berlin" in third


async def test_after_a_crash_of_the_engine_the_conversation_goes_on(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    first, second, third = await survive(mortal, say, transcriber, tmp_path, "engine")
    assert "Paris" in first
    assert "something went wrong" in second or "Madrid" in second
    assert "Berlin" in third
