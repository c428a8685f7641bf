"""What ``livekit.plugins.local.TTS`` does beyond the rules: its addresses and its sentences."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from livekit.agents import APIConnectionError, APIConnectOptions, APIError, APIStatusError, tts
from livekit.plugins import local
from livekit.plugins.local.protocol import TTS_PATH

from tests.support.engine import SECONDS_PER_WORD, TestEngine, run_engine

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=5)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TestEngine]:
    async with run_engine(tmp_path) as engine:
        yield engine


@asynccontextmanager
async def serving(folder: Path, *routes: web.RouteDef) -> AsyncIterator[str]:
    """Run a server that is no engine, and return its address."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "other.sock")).start()
    try:
        yield f"unix:{folder}/other.sock"
    finally:
        await runner.cleanup()


async def speak(plugin: local.TTS, text: str) -> list[tts.SynthesizedAudio]:
    try:
        async with plugin.stream(conn_options=ONCE) as stream:
            stream.push_text(text)
            stream.end_input()
            return [event async for event in stream]
    finally:
        await plugin.aclose()


async def test_it_speaks_over_a_unix_socket(engine: TestEngine) -> None:
    events = await speak(local.TTS(engine=engine.address), "Hello there, my friend.")
    assert " ".join(engine.voice.spoken) == "Hello there, my friend."
    assert sum(event.frame.duration for event in events) == pytest.approx(
        4 * SECONDS_PER_WORD, abs=0.2
    )


async def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(APIConnectionError, match=r"nobody\.sock.*is it running"):
        await speak(local.TTS(engine=f"unix:{tmp_path}/nobody.sock"), "Hello.")


async def test_an_address_that_is_none_is_named() -> None:
    with pytest.raises(APIError, match="ftp://here is neither unix:PATH nor") as failure:
        await speak(local.TTS(engine="ftp://here"), "Hello.")
    assert not failure.value.retryable


async def test_a_server_that_is_no_engine_is_named(tmp_path: Path) -> None:
    async with serving(tmp_path) as address:
        with pytest.raises(APIStatusError, match="with HTTP 404; is it a speech") as failure:
            await speak(local.TTS(engine=address), "Hello.")
        assert not failure.value.retryable


@pytest.mark.parametrize("audio", [b"", bytes(9600)], ids=["before any audio", "after some"])
@pytest.mark.parametrize("patient", [True, False], ids=["after the text", "at once"])
async def test_an_engine_that_says_goodbye_too_early_is_an_error(
    tmp_path: Path, audio: bytes, patient: bool
) -> None:
    async def leave(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "ready", "sample_rate": 24_000})
        if audio:
            await socket.send_bytes(audio)
        while patient and "end" not in await socket.receive_str():
            pass
        await socket.close()
        return socket

    async with serving(tmp_path, web.get(TTS_PATH, leave)) as address:
        with pytest.raises(APIConnectionError) as failure:
            await speak(local.TTS(engine=address), "Hello.")
        assert failure.value.retryable is not bool(audio)


async def test_an_unknown_voice_is_refused_with_a_list_and_not_retried(engine: TestEngine) -> None:
    with pytest.raises(APIError, match="tone/a") as failure:
        await speak(local.TTS(engine=engine.address, voice="tone/nobody"), "Hello.")
    assert not failure.value.retryable
