"""What ``livekit.plugins.local.STT`` does beyond the framework's contract, which the kit checks."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, stt
from livekit.plugins import local
from livekit.plugins.local.engine.stt import stream as stream_module

from tests.support.engine import TestEngine, run_engine
from tests.unit.test_engine_stream import LoudIsSpeech

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=5)


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


def utterance() -> rtc.AudioFrame:
    samples = np.concatenate([np.full(8_000, 25_000, np.int16), np.zeros(4_800, np.int16)])
    return rtc.AudioFrame(samples.tobytes(), 16_000, 1, len(samples))


async def hear(stream: stt.RecognizeStream) -> list[stt.SpeechData]:
    async with stream:
        stream.push_frame(utterance())
        stream.end_input()
        return [
            event.alternatives[0]
            async for event in stream
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT
        ]


async def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    plugin = local.STT(engine=f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(APIConnectionError, match=r"nobody\.sock.*is it running"):
        await hear(plugin.stream(conn_options=ONCE))
    await plugin.aclose()


async def test_a_closed_plugin_says_so(ear: local.STT) -> None:
    await ear.aclose()
    with pytest.raises(APIConnectionError, match="closed") as failure:
        await hear(ear.stream(conn_options=ONCE))
    assert not failure.value.retryable


async def test_a_bug_in_the_plugin_is_an_api_error(
    ear: local.STT, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livekit.plugins.local.stt._event", lambda *_: 1 / 0)
    with pytest.raises(APIError, match="ZeroDivisionError"):
        await hear(ear.stream(conn_options=ONCE))


async def test_a_language_changed_in_mid_stream_counts_from_the_next_stream_on(
    ear: local.STT,
) -> None:
    stream = ear.stream(conn_options=ONCE)
    ear.update_options(language="fr")
    (before,) = await hear(stream)
    (after,) = await hear(ear.stream(conn_options=ONCE))
    assert (before.language, after.language) == ("en", "fr")
