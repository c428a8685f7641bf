"""``livekit.plugins.local.STT`` keeps the framework's contract; the engine server is the real one.

The ear counts seconds of sound; voice activity is judged by loudness, since tones are no speech.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APITimeoutError, stt
from livekit.plugins import local
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.errors import EngineError

from tests.support.engine import TestEngine, run_engine
from tests.unit.test_engine_stream import LoudIsSpeech

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=5)
FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestEngine]:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    async with run_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def ear(engine: TestEngine) -> AsyncIterator[local.STT]:
    plugin = local.STT(engine=engine.address, languages=("en", "fr"))
    yield plugin
    await plugin.aclose()


def sound(
    seconds: float, *, rate: int = 16_000, channels: int = 1, loud: bool = True
) -> rtc.AudioFrame:
    samples = np.full(int(seconds * rate) * channels, 25_000 if loud else 0, np.int16)
    return rtc.AudioFrame(samples.tobytes(), rate, channels, int(seconds * rate))


def utterance(stream: stt.RecognizeStream, seconds: float) -> None:
    for _ in range(round(seconds / 0.05)):
        stream.push_frame(sound(0.05))
    stream.push_frame(sound(0.3, loud=False))
    stream.flush()


async def finals(stream: stt.RecognizeStream) -> list[str]:
    return [event.alternatives[0].text async for event in stream if event.type is FINAL]


async def test_one_final_per_flush_with_speech(ear: local.STT) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        utterance(stream, 1.0)
        utterance(stream, 2.0)
        stream.end_input()
        assert await finals(stream) == ["1.0", "2.0"]


async def test_silence_and_flushes_without_new_audio_give_nothing(ear: local.STT) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        for _ in range(20):
            stream.push_frame(sound(0.5, loud=False))
        stream.flush()
        stream.flush()
        stream.end_input()
        assert await finals(stream) == []


async def test_a_stream_without_audio_ends_cleanly(ear: local.STT) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        stream.end_input()
        assert await finals(stream) == []


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
async def test_any_rate_and_stereo_are_heard_alike(
    ear: local.STT, rate: int, channels: int
) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        for _ in range(10):
            stream.push_frame(sound(0.1, rate=rate, channels=channels))
        stream.push_frame(sound(0.3, rate=rate, channels=channels, loud=False))
        stream.end_input()
        (text,) = await finals(stream)
    assert float(text) == pytest.approx(1.0, abs=0.11)


async def test_recognize_agrees_with_streaming(ear: local.STT) -> None:
    frames = [sound(0.5), sound(0.5), sound(0.3, loud=False)]
    event = await ear.recognize(frames, conn_options=ONCE)
    assert event.alternatives[0].text == "1.0"
    assert event.alternatives[0].language == "en"


async def test_times_count_from_the_start_of_the_stream(ear: local.STT) -> None:
    async with ear.stream(conn_options=ONCE) as stream:
        stream.start_time_offset = 10.0
        stream.push_frame(sound(2.0, loud=False))
        utterance(stream, 1.0)
        stream.end_input()
        (event,) = [event async for event in stream if event.type is FINAL]
    data = event.alternatives[0]
    assert data.start_time == pytest.approx(11.5, abs=0.2)
    assert data.end_time == pytest.approx(13.25, abs=0.2)


async def test_the_utterance_in_progress_survives_a_lost_connection(
    ear: local.STT, tmp_path: Path
) -> None:
    async with run_engine(tmp_path / "..") as first:
        plugin = local.STT(engine=first.address)
        options = APIConnectOptions(max_retry=5, retry_interval=0.2, timeout=5)
        stream = plugin.stream(conn_options=options)
        errors = asyncio.Event()
        plugin.on("error", lambda _: errors.set())
        for _ in range(20):
            stream.push_frame(sound(0.05))
        await asyncio.sleep(0.2)
    await asyncio.wait_for(errors.wait(), 5)
    async with run_engine(tmp_path / ".."):
        utterance(stream, 1.0)
        stream.end_input()
        assert await finals(stream) == ["2.0"]
    await stream.aclose()
    await plugin.aclose()


async def test_a_model_that_fails_is_an_api_error_and_the_next_utterance_is_heard(
    ear: local.STT, engine: TestEngine
) -> None:
    engine.ear.error = EngineError("failed", "The model failed.", retryable=True)
    failures: list[object] = []

    def recover(failure: object) -> None:
        failures.append(failure)
        engine.ear.error = None

    ear.on("error", recover)
    options = APIConnectOptions(max_retry=2, retry_interval=0.1, timeout=5)
    async with ear.stream(conn_options=options) as stream:
        utterance(stream, 1.0)
        utterance(stream, 2.0)
        stream.end_input()
        assert await finals(stream) == ["1.0", "2.0"]
    assert failures


async def test_a_final_that_does_not_come_is_a_timeout(ear: local.STT, engine: TestEngine) -> None:
    engine.ear.hang = True
    stream = ear.stream(conn_options=APIConnectOptions(max_retry=0, timeout=0.3))
    utterance(stream, 0.5)
    began = time.perf_counter()
    with pytest.raises(APITimeoutError):
        await finals(stream)
    assert time.perf_counter() - began < 2
    await stream.aclose()


async def test_any_exception_becomes_an_api_error(
    ear: local.STT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livekit.plugins.local.stt._event", lambda *_: 1 / 0)
    stream = ear.stream(conn_options=ONCE)
    utterance(stream, 0.5)
    with pytest.raises(APIError):
        await finals(stream)
    await stream.aclose()


async def test_closing_is_quick_at_any_moment(ear: local.STT, engine: TestEngine) -> None:
    engine.ear.hang = True
    for pause in (0.0, 0.05, 0.2):
        stream = ear.stream(conn_options=ONCE)
        utterance(stream, 0.5)
        await asyncio.sleep(pause)
        began = time.perf_counter()
        await stream.aclose()
        assert time.perf_counter() - began < 0.2
