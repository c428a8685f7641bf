"""The agent's voice fails in mid-conversation, in every way; the caller hears a voice all along."""

import asyncio
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from agent.caller.access import SigningKey
from agent.caller.onset import FRAME, OnsetConfig, Pcm, frame_levels
from agent.caller.report import CallReport
from tests.support.calls import converse
from tests.support.engine_process import EngineProcess
from tests.support.livekit import RunningLiveKit
from tests.support.scripted_llm import run_llm
from tests.support.speech import Transcriber
from tests.support.stack import stack_environment
from tests.support.worker import run_worker

pytestmark = pytest.mark.e2e

LONGEST_SILENCE = 1.5
ANSWERS = {
    "Spain": "Spain is warm and sunny. Its farmers grow many oranges. The capital is Madrid. "
    "People like to dance there.",
    "Germany": "Germany is in Europe. It has many old castles. The capital is Berlin. "
    "People like to eat bread there.",
    "Italy": "Italy looks like a boot. It is famous for its pizza. The capital is Rome. "
    "People like to sing there.",
    "Japan": "Japan is an island country. It has very fast trains. The capital is Tokyo. "
    "People like to eat fish there.",
}
# A word of each sentence, which every ear understands.
WORDS = {
    "Spain": ("sunny", "oranges", "Madrid", "dance"),
    "Germany": ("Europe", "castles", "Berlin", "bread"),
    "Italy": ("boot", "pizza", "Rome", "sing"),
    "Japan": ("island", "trains", "Tokyo", "fish"),
}


def longest_silence(answer: Pcm) -> float:
    """Return the longest silence in an answer, in seconds."""
    quiet = frame_levels(answer) < OnsetConfig().threshold_dbfs
    return max((FRAME * len(list(run)) for is_quiet, run in groupby(quiet) if is_quiet), default=0)


class Scene:
    """An engine of its own with a faulty voice, a worker and a scripted language model."""

    def __init__(self, folder: Path, livekit: RunningLiveKit) -> None:
        self.folder = folder
        self.livekit = livekit
        self.faults = folder / "faults"
        self.env = {
            **stack_environment(folder),
            "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": livekit.api_key,
            "LIVEKIT_API_SECRET": livekit.api_secret,
            "AGENT_NAME": "voices",
            "FAULTS": str(self.faults),
        }
        self.engine = EngineProcess(folder, self.env, ("tests.support.faulty_engine",))
        self.env["ENGINE_URL"] = self.engine.address

    @property
    def spoken(self) -> str:
        """What the preferred voice has said."""
        return (self.folder / "spoken").read_text()

    async def call(
        self, questions: list[np.ndarray], progress: Callable[[str], None]
    ) -> CallReport:
        """Ask, one question after another."""
        self.engine.start()
        try:
            await self.engine.ready()
            async with run_llm(ANSWERS) as url:
                env = {**self.env, "LLM_BASE_URL": url, "LLM_MODEL": "script"}
                async with run_worker(self.folder, env) as worker:
                    await worker.ready()
                    livekit = self.livekit
                    access = SigningKey(
                        livekit.url, livekit.api_key, livekit.api_secret, agent_name="voices"
                    )
                    return await converse(
                        "", self.folder, questions, access=access, progress=progress
                    )
        finally:
            self.engine.kill()


@pytest.fixture
def scene(tmp_path: Path, livekit: RunningLiveKit) -> Scene:
    return Scene(tmp_path, livekit)


async def test_whatever_its_voice_does_the_engine_speaks(
    scene: Scene, say: Callable[[str, str], np.ndarray], transcriber: Transcriber
) -> None:
    faults = {"turn 1": "mute 1", "turn 2": "raise 3", "turn 3": "hang 1"}

    def follow(line: str) -> None:
        for turn, fault in faults.items():
            if line.startswith(turn):
                scene.faults.write_text(fault)

    report = await scene.call([say(f"Tell me about {name}.", "en") for name in ANSWERS], follow)
    assert len(report.turns) == len(ANSWERS)
    for turn, words in zip(report.turns, WORDS.values(), strict=True):
        heard = transcriber.transcribe(turn.answer_audio, report.agent.rate, "en")
        counts = [len(re.findall(rf"\b{word}", heard, re.IGNORECASE)) for word in words]
        assert max(counts) == 1, f"{heard!r} repeats itself"
        # The last of the stand-ins is hard to understand, for the judge as well.
        assert sum(counts) >= 2, f"{heard!r} lacks what was to be said"
        assert longest_silence(turn.answer_audio) <= LONGEST_SILENCE, heard
    # All of them came to pass, and in the end the voice that was chosen speaks again.
    assert scene.faults.read_text() == ""
    assert "Tokyo" in scene.spoken


async def test_when_the_engine_is_killed_the_caller_is_told_and_the_next_turn_has_its_voice(
    scene: Scene, say: Callable[[str, str], np.ndarray], transcriber: Transcriber
) -> None:
    asked = asyncio.Event()

    def follow(line: str) -> None:
        if line.startswith("turn 1"):
            asked.set()

    async def kill_in_mid_answer() -> None:
        await asked.wait()
        while "sunny" not in (scene.spoken if (scene.folder / "spoken").exists() else ""):
            await asyncio.sleep(0.02)
        scene.engine.kill()
        scene.engine.start()

    killing = asyncio.create_task(kill_in_mid_answer())
    questions = [say(f"Tell me about {name}.", "en") for name in ("Spain", "Japan")]
    try:
        report = await scene.call(questions, follow)
    finally:
        killing.cancel()
        await asyncio.wait({killing})
    first, second = report.turns
    heard = transcriber.transcribe(first.answer_audio, report.agent.rate, "en")
    assert longest_silence(first.answer_audio) <= LONGEST_SILENCE, heard
    for word in (*WORDS["Spain"], "something went wrong"):
        assert len(re.findall(word, heard, re.IGNORECASE)) <= 1, f"{heard!r} repeats itself"
    assert "something went wrong" in heard
    heard = transcriber.transcribe(second.answer_audio, report.agent.rate, "en")
    assert "Tokyo" in heard
    assert longest_silence(second.answer_audio) <= LONGEST_SILENCE, heard
    assert "Tokyo" in scene.spoken
