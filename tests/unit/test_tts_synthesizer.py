import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing

import numpy as np
import pytest
from livekit.plugins.local.engine.tts.base import Cancellation, Samples
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit

CHUNK = np.full(240, 0.5, np.float32)
CHUNK_PCM = np.full(240, 16384, "<i2").tobytes()
DEADLINE = 5.0


class ScriptedEngine:
    """Does per text what the test says; remembers what it was asked."""

    sample_rate = 24_000
    version = "1"

    def __init__(self, name: str = "scripted") -> None:
        self.name = name
        self.said: list[str] = []
        self.entered = threading.Event()
        self.hangs = threading.Event()
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        self.load_error: Exception | None = None

    def voices(self) -> dict[str, frozenset[str]]:
        return {"one": frozenset({"en"})}

    def load(self) -> None:
        if self.load_error:
            raise self.load_error

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        self.said.append(text)
        self.entered.set()
        if text == "refuse":
            raise EngineError("failed", "It refused.", retryable=True)
        if text == "break":
            raise ZeroDivisionError
        yield CHUNK
        if text == "pause":
            assert self.go_on.wait(DEADLINE)
        if text == "hang":
            with cancel.calling(self.stopped.set):
                self.hangs.set()
                assert self.stopped.wait(DEADLINE)
            return
        yield CHUNK


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
async def synthesizer(engine: ScriptedEngine) -> AsyncIterator[Synthesizer]:
    synthesizer = Synthesizer([engine], {"en": "scripted/one"})
    await synthesizer.load(engine.name)
    yield synthesizer
    synthesizer.close()


async def say(synthesizer: Synthesizer, text: str, voice: str | None = None) -> bytes:
    audio = synthesizer.synthesize(text, voice=voice, language="en")
    async with asyncio.timeout(DEADLINE), aclosing(audio):
        return b"".join([chunk async for chunk in audio])


def state_of(synthesizer: Synthesizer) -> str:
    return synthesizer.states["scripted"].state


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


async def test_audio_is_pcm(synthesizer: Synthesizer) -> None:
    assert await say(synthesizer, "hello") == CHUNK_PCM * 2


async def test_engine_hears_speakable_text_only(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    assert await say(synthesizer, "**hello** 👋\x00 you") == CHUNK_PCM * 2
    assert await say(synthesizer, "--- 👋 …") == b""
    assert engine.said == ["hello you"]


async def test_audio_arrives_while_the_engine_still_works(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    async with (
        asyncio.timeout(DEADLINE),
        aclosing(synthesizer.synthesize("pause", voice=None, language="en")) as audio,
    ):
        assert await anext(audio) == CHUNK_PCM
        engine.go_on.set()
        assert await anext(audio) == CHUNK_PCM


async def test_closing_cancels_within_50_ms(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    audio = synthesizer.synthesize("hang", voice=None, language="en")
    assert await anext(audio) == CHUNK_PCM
    await eventually(engine.hangs.is_set)
    began = time.perf_counter()
    await audio.aclose()
    assert engine.stopped.is_set()
    assert time.perf_counter() - began < 0.05
    assert await say(synthesizer, "hello") == CHUNK_PCM * 2


async def test_cancelling_the_listening_task_cancels_the_work(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    task = asyncio.create_task(say(synthesizer, "hang"))
    await eventually(engine.hangs.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.stopped.is_set()


async def test_request_cancelled_in_the_queue_never_reaches_the_engine(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    first = asyncio.create_task(say(synthesizer, "pause"))
    await eventually(engine.entered.is_set)
    waiting = asyncio.create_task(say(synthesizer, "never"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    engine.go_on.set()
    await first
    await say(synthesizer, "hello")
    assert engine.said == ["pause", "hello"]


async def test_requests_are_served_in_the_order_in_which_they_came(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    async def call(name: str) -> None:
        for number in range(3):
            await say(synthesizer, f"{name} {number}")

    first = asyncio.create_task(say(synthesizer, "pause"))
    await eventually(engine.entered.is_set)
    calls = [asyncio.create_task(call(name)) for name in ("a", "b", "c")]
    await asyncio.sleep(0)
    engine.go_on.set()
    await asyncio.gather(first, *calls)
    # No call is served twice before every other one was served once.
    rounds = [engine.said[1:][index : index + 3] for index in (0, 3, 6)]
    assert [sorted(part) for part in rounds] == [
        ["a 0", "b 0", "c 0"],
        ["a 1", "b 1", "c 1"],
        ["a 2", "b 2", "c 2"],
    ]


async def test_a_busy_engine_does_not_delay_another_one() -> None:
    busy, free = ScriptedEngine("busy"), ScriptedEngine("free")
    synthesizer = Synthesizer([busy, free], {"en": "free/one"})
    await asyncio.gather(*map(synthesizer.load, synthesizer.states))
    blocked = asyncio.create_task(say(synthesizer, "pause", "busy/one"))
    await eventually(busy.entered.is_set)
    assert await say(synthesizer, "hello") == CHUNK_PCM * 2
    busy.go_on.set()
    assert await blocked == CHUNK_PCM * 2
    synthesizer.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("refuse", "It refused."),
        ("break", "The voice engine scripted failed: ZeroDivisionError."),
    ],
)
async def test_failure_reaches_the_listener_and_the_engine_lives_on(
    synthesizer: Synthesizer, text: str, message: str
) -> None:
    with pytest.raises(EngineError) as caught:
        await say(synthesizer, text)
    assert (caught.value.code, caught.value.message) == ("failed", message)
    assert await say(synthesizer, "hello") == CHUNK_PCM * 2


async def test_engine_refuses_until_it_has_loaded(engine: ScriptedEngine) -> None:
    synthesizer = Synthesizer([engine], {"en": "scripted/one"})
    assert state_of(synthesizer) == "loading"
    with pytest.raises(EngineError, match="scripted is still loading") as caught:
        await say(synthesizer, "hello")
    assert (caught.value.code, caught.value.retryable) == ("not_ready", True)
    await synthesizer.load("scripted")
    assert state_of(synthesizer) == "ready"
    assert await say(synthesizer, "hello") == CHUNK_PCM * 2
    synthesizer.close()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (EngineError("missing_package", "Install it."), "missing_package", "Install it."),
        (OSError("no"), "failed", "The voice engine scripted did not load: OSError: no"),
    ],
)
async def test_engine_that_cannot_load_says_why(
    engine: ScriptedEngine, error: Exception, code: str, message: str
) -> None:
    engine.load_error = error
    synthesizer = Synthesizer([engine], {"en": "scripted/one"})
    await synthesizer.load("scripted")
    state = synthesizer.states["scripted"]
    assert (state.state, state.message) == ("failed", message)
    with pytest.raises(EngineError) as caught:
        await say(synthesizer, "hello")
    assert (caught.value.code, caught.value.message) == (code, message)
    assert not caught.value.retryable
    synthesizer.close()


async def test_configured_voice_that_does_not_exist_fails_its_engine(
    engine: ScriptedEngine,
) -> None:
    synthesizer = Synthesizer([engine], {"en": "scripted/two"})
    await synthesizer.load("scripted")
    state = synthesizer.states["scripted"]
    assert state.state == "failed"
    assert state.message == "There is no voice scripted/two; for 'en' there are scripted/one."
    synthesizer.close()


@pytest.mark.parametrize("speed", [0.4, 2.1])
async def test_speed_out_of_range_is_refused(synthesizer: Synthesizer, speed: float) -> None:
    with pytest.raises(EngineError, match=f"speed is {speed}, but must be from 0.5 to 2.0"):
        await anext(synthesizer.synthesize("hi", voice=None, language="en", speed=speed))


async def test_close_ends_what_runs_and_what_waits(
    synthesizer: Synthesizer, engine: ScriptedEngine
) -> None:
    running = asyncio.create_task(say(synthesizer, "hang"))
    await eventually(engine.entered.is_set)
    waiting = asyncio.create_task(say(synthesizer, "never"))
    await asyncio.sleep(0)
    synthesizer.close()
    for task in (running, waiting):
        with pytest.raises(EngineError, match="The speech engine is stopping"):
            await task
    with pytest.raises(EngineError, match="The speech engine is stopping"):
        await say(synthesizer, "too late")
    assert engine.said == ["hang"]
