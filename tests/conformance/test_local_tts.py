"""``livekit.plugins.local.TTS`` keeps the framework's contract, with the real engine server."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APITimeoutError, tts
from livekit.plugins import local
from livekit.plugins.local.errors import EngineError

from tests.support.engine import SECONDS_PER_WORD, TestEngine, run_engine

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=5)
IMPATIENT = APIConnectOptions(max_retry=0, timeout=0.3)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TestEngine]:
    async with run_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def voice(engine: TestEngine) -> AsyncIterator[local.TTS]:
    plugin = local.TTS(engine=engine.address)
    yield plugin
    await plugin.aclose()


async def speak(
    plugin: local.TTS, *pieces: str, options: APIConnectOptions = ONCE
) -> list[tts.SynthesizedAudio]:
    async with plugin.stream(conn_options=options) as stream:
        for piece in pieces:
            stream.push_text(piece)
        stream.end_input()
        return [event async for event in stream]


def seconds(events: list[tts.SynthesizedAudio]) -> float:
    return sum(event.frame.duration for event in events)


async def test_a_stream_without_text_ends_without_audio_or_error(voice: local.TTS) -> None:
    assert await speak(voice) == []


@pytest.mark.parametrize("text", ["   ", "...", "🙂", "—"])
async def test_text_that_cannot_be_spoken_costs_no_retry(
    voice: local.TTS, engine: TestEngine, text: str
) -> None:
    events = await speak(voice, text)
    assert seconds(events) < 0.1
    assert engine.voice.spoken == []


async def test_words_pushed_one_by_one_are_spoken_once_and_whole(
    voice: local.TTS, engine: TestEngine
) -> None:
    text = "Hello there my friend. This is the second sentence."
    events = await speak(voice, *[f"{word} " for word in text.split()])
    assert " ".join(engine.voice.spoken) == text
    assert seconds(events) == pytest.approx(9 * SECONDS_PER_WORD, abs=0.4)
    assert len({event.request_id for event in events}) == 1
    assert [event.is_final for event in events] == [False] * (len(events) - 1) + [True]
    assert {(event.frame.sample_rate, event.frame.num_channels) for event in events} == {(24000, 1)}


async def test_one_metrics_event_with_a_real_time_to_first_byte(voice: local.TTS) -> None:
    collected: list[object] = []
    voice.on("metrics_collected", collected.append)
    await speak(voice, "Hello there.")
    (metrics,) = collected
    assert metrics.ttfb > 0  # type: ignore[attr-defined]


async def test_an_interruption_stops_synthesis_at_once(
    voice: local.TTS, engine: TestEngine
) -> None:
    engine.voice.hang_after_words = 2
    stream = voice.stream(conn_options=ONCE)
    stream.push_text("One two three four five six. ")
    stream.end_input()
    await anext(stream)
    began = time.perf_counter()
    await stream.aclose()
    assert time.perf_counter() - began < 0.1
    assert await asyncio.to_thread(engine.voice.cancelled.wait, 1)


@pytest.mark.parametrize("words", [None, 2], ids=["before the first audio", "in mid-audio"])
async def test_an_engine_that_falls_silent_is_a_timeout(
    voice: local.TTS, engine: TestEngine, words: int | None
) -> None:
    engine.voice.hang, engine.voice.hang_after_words = words is None, words
    began = time.perf_counter()
    with pytest.raises(APITimeoutError) as failure:
        await speak(voice, "One two three four five.", options=IMPATIENT)
    assert time.perf_counter() - began < 2
    assert failure.value.retryable is (words is None)


async def test_waiting_for_the_language_model_is_not_a_timeout(voice: local.TTS) -> None:
    stream = voice.stream(conn_options=IMPATIENT)
    stream.push_text("One two three. ")
    stream.push_text("Four ")
    first = await anext(stream)
    await asyncio.sleep(2 * IMPATIENT.timeout)
    stream.push_text("five six.")
    stream.end_input()
    rest = [event async for event in stream]
    assert seconds([first, *rest]) == pytest.approx(6 * SECONDS_PER_WORD, abs=0.4)
    await stream.aclose()


async def test_a_failure_before_audio_is_retried_and_spoken_once(
    voice: local.TTS, engine: TestEngine
) -> None:
    engine.voice.error = EngineError("failed", "The voice failed.", retryable=True)
    failures: list[object] = []

    def recover(failure: object) -> None:
        failures.append(failure)
        engine.voice.error = None

    voice.on("error", recover)
    options = APIConnectOptions(max_retry=1, retry_interval=0.1, timeout=5)
    events = await speak(voice, "Hello there.", options=options)
    assert len(failures) == 1
    assert seconds(events) == pytest.approx(2 * SECONDS_PER_WORD, abs=0.1)


async def test_a_failure_after_audio_is_not_retried(voice: local.TTS, engine: TestEngine) -> None:
    stream = voice.stream(conn_options=APIConnectOptions(max_retry=3, timeout=5))
    stream.push_text("One two three four. ")
    stream.push_text("Five six seven eight. ")
    await anext(stream)
    engine.voice.error = EngineError("failed", "The voice failed.", retryable=True)
    stream.push_text("Nine ten eleven twelve. ")
    stream.end_input()
    with pytest.raises(APIError) as failure:
        async for _ in stream:
            pass
    assert not failure.value.retryable
    assert engine.voice.spoken.count("One two three four.") == 1
    await stream.aclose()


async def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    plugin = local.TTS(engine=f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(APIConnectionError, match=r"nobody\.sock.*is it running"):
        await speak(plugin, "Hello.")
    await plugin.aclose()


async def test_an_unknown_voice_is_refused_with_a_list_and_not_retried(engine: TestEngine) -> None:
    plugin = local.TTS(engine=engine.address, voice="tone/nobody")
    with pytest.raises(APIError, match="tone/a") as failure:
        await speak(plugin, "Hello.")
    assert not failure.value.retryable
    await plugin.aclose()


async def test_options_changed_in_mid_stream_count_from_the_next_stream_on(
    voice: local.TTS,
) -> None:
    stream = voice.stream(conn_options=ONCE)
    voice.update_options(voice="tone/nobody")
    stream.push_text("Hello there.")
    stream.end_input()
    assert [event async for event in stream]
    await stream.aclose()
    with pytest.raises(APIError):
        await speak(voice, "Hello.")


async def test_fifty_streams_at_once(voice: local.TTS) -> None:
    results = await asyncio.gather(*(speak(voice, "One two three.") for _ in range(50)))
    for events in results:
        assert seconds(events) == pytest.approx(3 * SECONDS_PER_WORD, abs=0.1)
