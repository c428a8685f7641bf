"""Calls in a real room whose agent speaks by a moshi-server, the fake and the real one."""

import asyncio
import time
from bisect import bisect
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from livekit.plugins.kyutai.connection import Endpoint, connect
from livekit.plugins.kyutai.server import MoshiServer

from agent.caller.access import SigningKey
from agent.caller.onset import FRAME, SAMPLE_RATE
from tests.conformance.kit import tones
from tests.support.line import Caller, on_the_line
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.running import Kind, Moshi, kinds
from tests.support.scripted_llm import run_llm
from tests.support.stack import Stack
from tests.support.worker import run_worker

# The server under test runs on the same loop as the tests.
pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

SLOTS = 2
STEP = 0.05
"""Seconds that the server takes for 0.08 s of audio: an answer is still made while it is heard."""

VOICE = "slow"
"""The toy model's voice that leaves 0.13 s between two words: no jitter buffer can join them."""

THINKS = {"stop": 0.4}
"""Seconds until the language model writes: between two answers no slot is taken for that long."""

FREED = 0.3
CAPTION, MEDIAN_CAPTION = 1.0, 0.4
"""Seconds between any word and its caption, and for half of them; the answer takes five."""

TURNS = 20
GREETING = tones.statement(3)
STORY = tones.statement(24, start=3)
ANSWERS = {
    "story": STORY,
    # Still written when it is interrupted.
    "novel": tones.statement(400),
    "stop": tones.statement(6, start=9),
    # Every other one is interrupted by the next.
    **{
        f"number {turn}.": tones.statement(3 if turn % 2 else 12, start=turn)
        for turn in range(TURNS)
    },
}


@dataclass(frozen=True)
class Scene:
    """A worker whose calls speak by a moshi-server."""

    moshi: Moshi
    access: SigningKey

    @asynccontextmanager
    async def call(self, folder: Path) -> AsyncIterator[Caller]:
        """Call, and wait until the agent has greeted."""
        async with on_the_line("", folder, self.access) as caller:
            await caller.listened_to()
            await says(caller, GREETING, since=0.0)
            await self.used(0)
            yield caller
        await self.used(0)

    async def reads_a_novel(self, caller: Caller) -> float:
        """Have a long answer begun, and return when it was asked for."""
        asked = await caller.types("Read me a novel.")
        await caller.until(lambda: heard(caller, asked), lambda words: len(words) > 2)
        assert await self.moshi.used() == 1
        return asked

    async def used(self, count: int) -> float:
        """Wait until so many slots are taken, and return when that was seen."""
        async with asyncio.timeout(10):
            while await self.moshi.used() != count:
                await asyncio.sleep(0.005)
        return time.perf_counter()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=kinds())
async def scene(
    request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("kyutai")
    kind: Kind = kinds()[request.param]
    name = f"kyutai-{request.param}"
    async with (
        kind.running(folder, batch_size=SLOTS, step_seconds=STEP) as moshi,
        run_llm(ANSWERS, thinks=THINKS) as llm,
    ):
        env = {
            **stack.worker_env,
            "AGENT_NAME": name,
            "GREETING": GREETING,
            "KYUTAI_URL": moshi.address.replace("http", "ws", 1),
            "KYUTAI_VOICE": VOICE,
            "LLM_BASE_URL": llm,
            "LLM_MODEL": "script",
            "TTS": "kyutai",
        }
        async with run_worker(folder, env) as worker:
            await worker.ready()
            yield Scene(moshi, stack.signing_key(name))


def heard(caller: Caller, since: float) -> list[tuple[str, float]]:
    """Return the words that reached the caller, and when each began."""
    tape = caller.tape
    first = bisect(tape.times, since)
    samples = tape.cut(first, len(tape.times)).astype(np.float32) / np.float32(32768)
    words = tones.hear_timed(samples, SAMPLE_RATE)
    return [(word, tape.times[first + int(start / FRAME)]) for word, start, _ in words]


async def says(caller: Caller, text: str, since: float) -> None:
    """Wait until the whole of a text has been heard; before it there may be the rest of another."""
    words = tones.words_of(text)
    await caller.until(
        # The captions are for the message of a failure.
        lambda: ([word for word, _ in heard(caller, since)], caller.said(since)),
        lambda found: found[0][-len(words) :] == words,
    )


async def test_the_voice_reaches_the_caller_and_the_captions_run_with_it(
    scene: Scene, tmp_path: Path
) -> None:
    shown: list[float] = []

    async def read(caller: Caller, since: float) -> None:
        """Note when each word is shown."""
        while True:
            words = len(caller.said(since).split())
            shown.extend([time.perf_counter()] * (words - len(shown)))
            await asyncio.sleep(0.01)

    async with scene.call(tmp_path) as caller:
        asked = await caller.types("Tell me a story.")
        reading = asyncio.create_task(read(caller, asked))
        await says(caller, STORY, since=asked)
        await caller.until(lambda: len(shown), lambda count: count == len(STORY.split()))
        reading.cancel()
        await asyncio.wait([reading])
        assert caller.said(asked) == STORY
        words = heard(caller, asked)
        assert [word for word, _ in words] == tones.words_of(STORY)
        off = np.abs(np.array(shown) - np.array([at for _, at in words]))
        assert off.max() < CAPTION, f"captions are off by {off.round(2)}"
        assert np.median(off) < MEDIAN_CAPTION, f"captions are off by {off.round(2)}"


async def test_whoever_types_over_an_answer_frees_the_slot(scene: Scene, tmp_path: Path) -> None:
    """Measured from where the caller sends the message."""
    async with scene.call(tmp_path) as caller:
        await scene.reads_a_novel(caller)
        typed = await caller.types("Please stop.")
        freed = await scene.used(0)
        assert freed - typed < FREED
        await says(caller, ANSWERS["stop"], since=typed)


async def test_whoever_speaks_over_an_answer_frees_the_slot(
    scene: Scene, say: Callable[[str, str], np.ndarray], tmp_path: Path
) -> None:
    """Measured from the interruption: the moment at which the session knows what was said.

    Half a second of a voice only pauses the answer. That is silence for the caller, but it may have
    been a cough: if nothing was said the answer goes on, so that it has to keep its slot.
    """
    async with scene.call(tmp_path) as caller:
        began = await scene.reads_a_novel(caller)
        speaking = asyncio.create_task(caller.says(say("Please stop reading.", "en")))
        freed = await scene.used(0)
        (interrupted, *_) = await caller.until(lambda: caller.understood(began), bool)
        assert -FREED < freed - interrupted < FREED
        await speaking
        await says(caller, ANSWERS["stop"], since=interrupted)


async def test_twenty_turns_leave_no_slot_taken(scene: Scene, tmp_path: Path) -> None:
    async with scene.call(tmp_path) as caller:
        for turn in range(TURNS):
            asked = await caller.types(f"Say number {turn}.")
            if turn % 2:
                await says(caller, ANSWERS[f"number {turn}."], since=asked)
            else:
                # Interrupted by the next.
                await caller.until(partial(heard, caller, asked), bool)
        await caller.listened_to()
        await scene.used(0)


async def test_when_no_slot_is_free_the_engine_speaks(scene: Scene, tmp_path: Path) -> None:
    async with scene.call(tmp_path) as caller, AsyncExitStack() as others:
        server = MoshiServer(scene.moshi.address, API_KEY)
        others.push_async_callback(server.aclose)
        endpoint = Endpoint(PATH, {"format": "PcmMessagePack"})
        for _ in range(SLOTS):
            await others.enter_async_context(connect(server, endpoint, timeout=5))
        asked = await caller.types("Please stop.")
        await caller.hears("juliett", since=asked)
        assert caller.recording(asked).any()
        assert await scene.moshi.used() == SLOTS
