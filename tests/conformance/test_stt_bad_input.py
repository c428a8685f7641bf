"""What a client does wrong, and what a model suffers, concerns that call alone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from livekit.agents import APIConnectOptions, APIStatusError, stt
from livekit.plugins import local
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import PROTOCOL_VERSION, STT_PATH

from tests.support.engine import TestEngine, run_engine
from tests.support.sounds import utterance
from tests.unit.test_engine_stream import LoudIsSpeech

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=5)
START = {
    "type": "start",
    "protocol": PROTOCOL_VERSION,
    "languages": ["en"],
    "language": None,
    "sample_rate": 16_000,
}
SOUND = np.full(8_000, 25_000, "<i2").tobytes()


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestEngine]:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    async with run_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def client(engine: TestEngine) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(engine.address.removeprefix("unix:"))
    async with aiohttp.ClientSession("http://engine", connector=connector) as session:
        yield session


@pytest.fixture
async def other(engine: TestEngine) -> AsyncIterator[stt.RecognizeStream]:
    """Another call, in the midst of which things happen."""
    plugin = local.STT(engine=engine.address)
    async with plugin.stream(conn_options=ONCE) as stream:
        await heard(stream, 0.5)
        yield stream
    await plugin.aclose()


async def heard(stream: stt.RecognizeStream, seconds: float) -> None:
    """Say something for so long, and check that it is heard."""
    utterance(stream, seconds)
    async with asyncio.timeout(10):
        async for event in stream:
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                assert event.alternatives[0].text == f"{seconds:.1f}"
                return


async def answer(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (message := await socket.receive_json())["type"] not in ("error", "final"):
            pass
    return dict(message)


@pytest.mark.parametrize(
    ("start", "audio", "named"),
    [
        ({**START, "sample_rate": 8_000}, [], "sample_rate was not 16000"),
        ({**START, "sample_rate": None}, [], "sample_rate was not 16000"),
        ({**START, "languages": []}, [], "no language"),
        (START, [SOUND, SOUND[:-1]], "odd number of bytes"),
    ],
    ids=["telephone rate", "no rate", "no language", "half a sample"],
)
async def test_a_client_that_errs_is_told_and_no_other_call_notices(
    client: aiohttp.ClientSession,
    other: stt.RecognizeStream,
    start: dict[str, Any],
    audio: list[bytes],
    named: str,
) -> None:
    async with client.ws_connect(STT_PATH) as socket:
        await socket.send_json(start)
        for piece in audio:
            await socket.send_bytes(piece)
        error = await answer(socket)
        assert (error["code"], error["retryable"]) == ("bad_request", False)
        assert named in error["message"]
    await heard(other, 1.0)


async def test_a_client_that_vanishes_in_mid_utterance_leaves_the_model_to_others(
    engine: TestEngine, client: aiohttp.ClientSession, other: stt.RecognizeStream
) -> None:
    before = engine.ear.heard
    await heard(other, 1.0)
    alone = engine.ear.heard - before
    async with client.ws_connect(STT_PATH) as socket:
        await socket.send_json(START)
        for _ in range(4):
            await socket.send_bytes(SOUND)
        transport = socket.get_extra_info("socket")
        assert transport is not None
        socket._response.close()  # no good-bye
    before = engine.ear.heard
    await heard(other, 1.0)
    # One that has begun runs to its end.
    assert engine.ear.heard - before <= alone + 1


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_gpu_out_of_memory_fails_the_call_that_asked_and_no_later_one(
    engine: TestEngine, other: stt.RecognizeStream, retryable: bool
) -> None:
    plugin = local.STT(engine=engine.address)
    engine.ear.error = EngineError(
        "device", "The GPU 0 is out of memory; choose a smaller STT_MODEL.", retryable=retryable
    )
    async with plugin.stream(conn_options=ONCE) as stream:
        with pytest.raises(APIStatusError, match=r"out of memory.*STT_MODEL") as failure:
            await heard(stream, 1.0)
        assert failure.value.retryable is retryable
    engine.ear.error = None
    await heard(other, 1.0)
    async with plugin.stream(conn_options=ONCE) as stream:
        await heard(stream, 1.5)
    await plugin.aclose()
