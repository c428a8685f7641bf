"""The voice engine ``openai``, against our own endpoint and against a server that misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from livekit.plugins.local.engine.tts.base import (
    Cancellation,
    EngineContext,
    SpeechServer,
    capabilities,
)
from livekit.plugins.local.engine.tts.openai import OpenAIEngine
from livekit.plugins.local.errors import EngineError

from tests.support.engine import SECONDS_PER_WORD, TestEngine, run_engine

pytestmark = pytest.mark.unit

TONE = (np.sin(np.arange(24_000) / 10) * 20_000).astype("<i2").tobytes()
DEADLINE = 20
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def engine_for(url: str, model: str = "tts-1", key: str = "", rate: int = 24_000) -> OpenAIEngine:
    return OpenAIEngine(
        EngineContext(
            lambda _: Path(),
            threads=1,
            configured={"en": "openai/alloy", "fr": "openai/nova", "de": "espeak/de"},
            server=SpeechServer(url, model, key, rate),
        )
    )


def speak(
    engine: OpenAIEngine, cancel: Cancellation | None = None, speed: float = 1.0, text: str = "Hi."
) -> list[np.ndarray]:
    return list(
        engine.synthesize(
            text, voice="alloy", language="en", speed=speed, cancel=cancel or Cancellation()
        )
    )


async def said(engine: OpenAIEngine, **options: Any) -> np.ndarray:
    async with asyncio.timeout(DEADLINE):
        return np.concatenate(await asyncio.to_thread(speak, engine, **options))


async def refusal(engine: OpenAIEngine) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await said(engine)
    assert "Hi." not in caught.value.message
    return caught.value


@asynccontextmanager
async def serve(speech: Handler, voices: Handler | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/audio/speech", speech)
    if voices:
        app.router.add_get("/v1/audio/voices", voices)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def bridge(address: str) -> AsyncIterator[str]:
    """Let TCP in to a Unix socket."""
    tasks: set[asyncio.Task[None]] = set()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
        for pair in ((reader, outer), (inner, writer)):
            tasks.add(asyncio.create_task(copy(*pair)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncIterator[tuple[TestEngine, str]]:
    async with run_engine(tmp_path) as engine, bridge(engine.address) as url:
        yield engine, url


async def test_our_own_endpoint_speaks(ours: tuple[TestEngine, str]) -> None:
    _, url = ours
    engine = engine_for(url)
    await asyncio.to_thread(engine.load)
    samples = await said(engine, text="One two three.")
    assert len(samples) / 24_000 == pytest.approx(3 * SECONDS_PER_WORD, abs=0.01)
    assert float(np.abs(samples).max()) == pytest.approx(0.5, abs=0.01)


async def test_our_own_endpoint_lists_its_voices(ours: tuple[TestEngine, str]) -> None:
    _, url = ours
    engine = engine_for(f"{url}/", model="tone")
    await asyncio.to_thread(engine.load)
    can = capabilities(engine)
    assert set(can.voices) == {"alloy", "nova", "a"}
    assert can.languages == {"en", "fr", "de"}
    assert (can.sample_rate, can.streaming, can.cloning) == (24_000, True, False)


async def test_cancelling_stops_the_server_that_is_ours(ours: tuple[TestEngine, str]) -> None:
    running, url = ours
    running.voice.hang_after_words = 1
    cancel = Cancellation()
    engine = engine_for(url)

    def first_then_cancel() -> list[np.ndarray]:
        audio = engine.synthesize(
            "One two.", voice="alloy", language="en", speed=1.0, cancel=cancel
        )
        first = next(audio)
        cancel.cancel()
        return [first, *audio]

    async with asyncio.timeout(DEADLINE):
        assert len(await asyncio.to_thread(first_then_cancel)) == 1
        assert await asyncio.to_thread(running.voice.cancelled.wait, DEADLINE)


async def test_the_request_says_what_is_wanted() -> None:
    seen: list[Any] = []

    async def speech(request: web.Request) -> web.Response:
        seen.append((await request.json(), request.headers.get("Authorization")))
        return web.Response(body=TONE, content_type="audio/pcm")

    async with serve(speech) as url:
        await said(engine_for(url, model="m", key="secret"))
        await said(engine_for(url, model="m"), speed=1.5)
    body = {"model": "m", "input": "Hi.", "voice": "alloy", "response_format": "pcm"}
    assert seen == [(body, "Bearer secret"), ({**body, "speed": 1.5}, None)]


async def test_audio_comes_before_the_answer_is_complete_and_samples_stay_whole() -> None:
    first_heard = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def speech(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        await response.write(TONE[:4801])
        await first_heard.wait()
        await response.write(TONE[4801:])
        await response.write_eof()
        return response

    def listen(engine: OpenAIEngine) -> list[np.ndarray]:
        chunks = []
        for chunk in engine.synthesize(
            "Hi.", voice="alloy", language="en", speed=1.0, cancel=Cancellation()
        ):
            chunks.append(chunk)
            loop.call_soon_threadsafe(first_heard.set)
        return chunks

    async with serve(speech) as url, asyncio.timeout(DEADLINE):
        chunks = await asyncio.to_thread(listen, engine_for(url))
    assert len(chunks) > 1
    heard = (np.concatenate(chunks) * 32768).astype("<i2").tobytes()
    assert heard == TONE


@pytest.mark.parametrize(
    ("content_type", "rate"), [("audio/pcm;rate=48000", 24_000), ("audio/pcm", 48_000)]
)
async def test_another_sample_rate_is_converted(content_type: str, rate: int) -> None:
    async def speech(request: web.Request) -> web.Response:
        return web.Response(body=TONE, headers={"Content-Type": content_type})

    async with serve(speech) as url:
        samples = await said(engine_for(url, rate=rate))
    assert len(samples) == pytest.approx(12_000, abs=480)


@pytest.mark.parametrize(
    ("status", "words", "retryable"),
    [
        (401, "TTS_OPENAI_API_KEY", False),
        (403, "TTS_OPENAI_API_KEY", False),
        (404, "TTS_OPENAI_MODEL", False),
        (400, "(unknown_voice voice)", False),
        (307, "status 307", False),
        (429, "status 429", True),
        (503, "status 503", True),
    ],
)
async def test_a_refusal_names_the_setting(status: int, words: str, retryable: bool) -> None:
    error = {"message": "cannot say Hi.", "code": "unknown_voice", "param": "voice"}

    async def speech(request: web.Request) -> web.Response:
        return web.Response(status=status, text=json.dumps({"error": error}))

    async with serve(speech) as url:
        caught = await refusal(engine_for(url))
    assert words in caught.message
    assert "TTS_OPENAI_" in caught.message
    assert caught.retryable is retryable


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"error": "Hi."}', b"[" * 70_000])
async def test_a_refusal_may_say_anything(body: bytes) -> None:
    async def speech(request: web.Request) -> web.Response:
        return web.Response(status=400, body=body)

    async with serve(speech) as url:
        assert "status 400" in (await refusal(engine_for(url))).message


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        ("audio/mpeg", TONE, "sent audio/mpeg instead of PCM"),
        ("application/json", b"{}", "sent application/json instead of PCM"),
        ("audio/pcm", b"", "sent no audio"),
        ("audio/pcm;rate=900000", TONE, "900000 Hz"),
    ],
)
async def test_an_answer_that_is_no_speech_is_an_error(
    content_type: str, body: bytes, words: str
) -> None:
    async def speech(request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": content_type})

    async with serve(speech) as url:
        assert words in (await refusal(engine_for(url))).message


async def test_an_answer_that_breaks_off_is_an_error_after_what_was_heard() -> None:
    async def speech(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(TONE)
        assert request.transport
        request.transport.close()
        return response

    async with serve(speech) as url:
        caught = await refusal(engine_for(url))
    assert "broke off" in caught.message
    assert caught.retryable


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def speech(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serve(speech) as url:
        engine = engine_for(url)
        engine._first_seconds = 0.2
        caught = await refusal(engine)
    assert "sent nothing for 0.2 s" in caught.message
    assert caught.retryable


async def test_a_server_that_stops_in_the_middle_is_given_up() -> None:
    async def speech(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        await response.write(TONE)
        await asyncio.Event().wait()
        return response

    async with serve(speech) as url:
        engine = engine_for(url)
        engine._chunk_seconds = 0.2
        assert "sent nothing for 0.2 s" in (await refusal(engine)).message


async def test_cancelling_while_nothing_comes_closes_the_request() -> None:
    asked, closed = asyncio.Event(), asyncio.Event()

    async def speech(request: web.Request) -> web.Response:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        raise AssertionError

    cancel = Cancellation()
    async with serve(speech) as url, asyncio.timeout(DEADLINE):
        talking = asyncio.create_task(asyncio.to_thread(speak, engine_for(url), cancel))
        await asked.wait()
        cancel.cancel()
        assert await talking == []
        await closed.wait()


async def test_what_was_cancelled_before_is_not_asked() -> None:
    cancel = Cancellation()
    cancel.cancel()
    assert await asyncio.to_thread(speak, engine_for("http://127.0.0.1:9/v1"), cancel) == []


async def test_a_server_that_is_away_is_no_obstacle_to_starting() -> None:
    engine = engine_for("http://127.0.0.1:9/v1")
    await asyncio.to_thread(engine.load)
    assert set(engine.voices()) == {"alloy", "nova"}
    caught = await refusal(engine)
    assert "cannot be reached" in caught.message
    assert caught.retryable


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://there"])
def test_a_missing_address_is_one_sentence(url: str) -> None:
    with pytest.raises(EngineError, match=r"needs TTS_OPENAI_URL.*such as http"):
        engine_for(url).load()


async def test_a_wrong_key_shows_at_the_start() -> None:
    async def no(request: web.Request) -> web.Response:
        return web.Response(status=401)

    async with serve(no, no) as url:
        with pytest.raises(EngineError, match="TTS_OPENAI_API_KEY"):
            await asyncio.to_thread(engine_for(url).load)


@pytest.mark.parametrize(
    "listed",
    [{"voices": ["x", "y"]}, {"voices": [{"id": "x"}, {"voice_id": "y"}, {"name": "y"}, 7, {}]}],
)
async def test_the_voices_of_other_servers_are_found(listed: dict[str, Any]) -> None:
    async def voices(request: web.Request) -> web.Response:
        return web.json_response(listed)

    async with serve(voices, voices) as url:
        engine = engine_for(url)
        await asyncio.to_thread(engine.load)
    assert list(engine.voices()) == ["alloy", "nova", "x", "y"]
