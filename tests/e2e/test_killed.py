"""Each process is killed in mid-call, one after another: what the caller hears."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from agent.caller.onset import SAMPLE_RATE
from agent.readiness import fetch_readiness
from tests.support.calls import converse
from tests.support.line import on_the_line
from tests.support.speech import CAPITALS, Transcriber
from tests.support.stack import Stack, run_stack

pytestmark = pytest.mark.e2e

Say = Callable[[str, str], np.ndarray]


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, whose processes are killed."""
    with run_stack(tmp_path_factory.mktemp("mortal")) as stack:
        yield stack


def kill(stack: Stack, name: str) -> None:
    """End ``eloquence NAME``, or the program of that name, and what it started, without warning."""
    for process in psutil.Process(stack.process.pid).children():
        if process.cmdline()[-1] == name or process.name().startswith(name):
            for each in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):  # it did not outlive the first
                    each.kill()
            return
    raise AssertionError(f"no process runs {name}:\n{stack.output}")


async def survive(
    stack: Stack, say: Say, transcriber: Transcriber, folder: Path, name: str, *, again: int = 1
) -> list[str]:
    """Ask two questions and kill a process as the first begins; return what was heard.

    Args:
        stack: All processes.
        say: Speaks the questions.
        transcriber: Hears the answers.
        folder: For recordings.
        name: The process.
        again: How often the second question is asked.
    """

    def follow(line: str) -> None:
        if line.startswith("turn 1"):
            kill(stack, name)

    questions = [
        say("What is the capital of Spain?", "en"),
        *[say("What is the capital of Germany?", "en")] * again,
    ]
    report = await converse(stack.page_url, folder, questions, progress=follow, answer_timeout=60)
    return [
        transcriber.transcribe(turn.answer_audio, report.agent.rate, "en", about=CAPITALS)
        for turn in report.turns
    ]


async def test_without_the_page_the_call_goes_on(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    first, second = await survive(mortal, say, transcriber, tmp_path, "web")
    assert "Madrid" in first
    assert "Berlin" in second
    async with asyncio.timeout(30):
        while not (readiness := await fetch_readiness(mortal.page_url)) or not readiness.ready:
            await asyncio.sleep(0.1)


async def test_after_a_crash_of_the_language_model_the_agent_apologises_and_answers_again(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    # A model takes as long to load as the machine lets it, and the caller is told to ask again.
    first, *others = await survive(mortal, say, transcriber, tmp_path, "llm", again=3)
    # The judge hears "cannot" now and then as "can't".
    assert "think right now" in first or "Madrid" in first
    assert "Berlin" in others[-1]


async def test_after_a_crash_of_the_engine_the_conversation_goes_on(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    first, second = await survive(mortal, say, transcriber, tmp_path, "engine")
    assert "something went wrong" in first or "Madrid" in first
    assert "Berlin" in second


async def test_after_a_crash_of_the_call_server_both_sides_come_back_into_the_call(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    async with on_the_line(mortal.page_url, tmp_path) as caller:
        await caller.hears("help you", since=0)
        await caller.listened_to()
        told = await caller.says(say("Hello, my name is Robert.", "en"))
        await caller.hears("Robert", since=told)
        await caller.listened_to()
        connected: list[bool] = []
        caller.room.on("reconnected", lambda: connected.append(True))
        killed = time.perf_counter()
        kill(mortal, "livekit-server")
        await caller.until(lambda: connected, bool, 60)
        await caller.until(lambda: len(caller.came), lambda times: times == 2, 60)
        await caller.listened_to()
        asked = await caller.says(say("What is my name?", "en"))
        await caller.hears("Robert", since=asked)
        heard = transcriber.transcribe(await caller.heard(since=killed), SAMPLE_RATE, "en")
        assert "Robert" in heard
        assert "help you" not in heard
        # Which of them came back, or a new one, is not ours to say; there is one.
        assert len(caller.agents) == 1


async def test_after_a_crash_of_the_worker_the_agent_comes_back_and_remembers(
    mortal: Stack, say: Say, transcriber: Transcriber, tmp_path: Path
) -> None:
    async with on_the_line(mortal.page_url, tmp_path) as caller:
        await caller.hears("help you", since=0)
        await caller.listened_to()
        told = await caller.says(say("Hello, my name is Robert.", "en"))
        await caller.hears("Robert", since=told)
        await caller.listened_to()
        killed = time.perf_counter()
        kill(mortal, "worker")
        await caller.until(lambda: len(caller.came), lambda times: times == 2, 60)
        await caller.listened_to()
        asked = await caller.says(say("What is my name?", "en"))
        await caller.hears("Robert", since=asked)
        heard = transcriber.transcribe(await caller.heard(since=killed), SAMPLE_RATE, "en")
        assert "Robert" in heard
        # Nobody is greeted twice, and nobody talks to two agents.
        assert "help you" not in heard
        assert caller.most == 1
