"""``/v1/audio/transcriptions`` with the official client, the real server and an ear that counts.

The ear hears seconds of sound; voice activity is judged by loudness, since tones are no speech.
"""

import asyncio
import io
import tracemalloc
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from livekit.plugins.local.engine.openai import uploads as uploads_module
from livekit.plugins.local.engine.openai.uploads import MAX_FILE
from livekit.plugins.local.engine.stt import stream as stream_module
from livekit.plugins.local.errors import EngineError

from tests.support.engine import TestEngine, run_engine
from tests.support.openai_client import openai_client
from tests.unit.test_engine_stream import LoudIsSpeech

pytestmark = pytest.mark.unit

DEADLINE = 10


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TestEngine]:
    monkeypatch.setattr(stream_module, "VoiceActivity", LoudIsSpeech)
    async with run_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def client(engine: TestEngine) -> AsyncIterator[openai.AsyncClient]:
    async with openai_client(engine.address) as client:
        yield client


def wav(*parts: tuple[float, bool], rate: int = 16_000) -> bytes:
    """A file of sound and silence: seconds, and whether it is loud."""
    samples = [np.full(int(seconds * rate), 25_000 * loud, "<i2") for seconds, loud in parts]
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(rate)
        audio.writeframes(np.concatenate(samples).tobytes())
    return file.getvalue()


SPEECH = wav((1.0, False), (1.5, True), (0.5, False))


async def transcribe(client: openai.AsyncClient, data: bytes = SPEECH, **options: Any) -> Any:
    wanted = {"model": "whisper-1", **options}
    return await client.audio.transcriptions.create(file=("speech.wav", data), **wanted)


async def post(client: openai.AsyncClient, **request: Any) -> httpx2.Response:
    """Send what the client would never send."""
    return await client._client.post(f"{client.base_url}audio/transcriptions", **request)


async def still_serves(client: openai.AsyncClient) -> None:
    assert (await transcribe(client)).text == "1.5"


def assert_refused(response: httpx2.Response, status: int, param: str | None, code: str) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (status, param, code)
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    "model",
    ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe-2025-12-15", "counting"],
)
async def test_a_file_is_heard_by_every_name_of_the_model(
    client: openai.AsyncClient, model: str
) -> None:
    transcript = await transcribe(client, model=model)
    assert transcript.text == "1.5"
    assert transcript.usage.seconds == 3
    assert [language.code for language in transcript.languages] == ["en"]


async def test_a_long_file_is_heard_whole(client: openai.AsyncClient) -> None:
    pieces = [(12.0, True), (1.0, False)] * 5
    transcript = await transcribe(client, wav(*pieces))
    assert sum(map(float, transcript.text.split())) == pytest.approx(60, abs=0.5)
    assert len(transcript.text.split()) > 1


async def test_silence_has_no_words_and_no_language(client: openai.AsyncClient) -> None:
    transcript = await transcribe(client, wav((3.0, False)))
    assert (transcript.text, transcript.languages) == ("", [])


async def test_another_rate_is_heard_alike(client: openai.AsyncClient) -> None:
    data = wav((1.0, False), (1.5, True), (0.5, False), rate=44_100)
    assert float((await transcribe(client, data)).text) == pytest.approx(1.5, abs=0.1)


async def test_the_language_is_the_one_that_was_named(client: openai.AsyncClient) -> None:
    for language, name in (("fr", "french"), ("fr-CA", "french"), (openai.omit, "english")):
        transcript = await transcribe(client, language=language, response_format="verbose_json")
        assert transcript.language == name


async def test_languages_are_the_candidates(client: openai.AsyncClient) -> None:
    transcript = await transcribe(client, model="gpt-transcribe", languages=["fr", "en"])
    assert [language.code for language in transcript.languages] == ["fr"]


async def test_verbose_json_tells_when_it_was_said(client: openai.AsyncClient) -> None:
    transcript = await transcribe(client, response_format="verbose_json")
    assert transcript.duration == 3.0
    (segment,) = transcript.segments
    assert segment.text == "1.5"
    assert segment.start == pytest.approx(0.5, abs=0.1)
    assert segment.end == pytest.approx(2.75, abs=0.1)


async def test_text_and_subtitles(client: openai.AsyncClient) -> None:
    assert await transcribe(client, response_format="text") == "1.5\n"
    srt = await transcribe(client, response_format="srt")
    assert srt.startswith("1\n00:00:00,5")
    assert srt.endswith("\n1.5\n\n")
    vtt = await transcribe(client, response_format="vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.5")


async def test_events_end_with_the_whole_text(client: openai.AsyncClient) -> None:
    stream = await transcribe(client, stream=True, model="gpt-4o-transcribe")
    events = [event async for event in stream]
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.done"]
    assert events[0].delta == events[1].text == "1.5"


async def test_what_needs_no_support_is_accepted(client: openai.AsyncClient) -> None:
    transcript = await transcribe(
        client, prompt="Names: Ada.", temperature=0.2, timestamp_granularities=["segment"]
    )
    assert transcript.text == "1.5"


@pytest.mark.parametrize(
    ("options", "status", "param", "code"),
    [
        ({"model": "whisper-9"}, 404, "model", "model_not_found"),
        ({"model": ""}, 400, "model", "missing_required_parameter"),
        ({"language": "klingon"}, 400, "language", "invalid_value"),
        ({"languages[]": ["en", "xx"]}, 400, "languages", "invalid_value"),
        ({"response_format": "pdf"}, 400, "response_format", "invalid_value"),
        ({"temperature": "hot"}, 400, "temperature", "invalid_value"),
        ({"temperature": "1.5"}, 400, "temperature", "invalid_value"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities", "invalid_value"),
        ({"prompt": "a" * 100_000}, 400, None, "invalid_form"),
    ],
)
async def test_a_bad_parameter_is_named(
    client: openai.AsyncClient, options: dict[str, Any], status: int, param: str, code: str
) -> None:
    data = {"model": "whisper-1", **options}
    response = await post(client, files={"file": ("speech.wav", SPEECH)}, data=data)
    assert_refused(response, status, param, code)
    await still_serves(client)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "invalid_value"),
        (b"this is no audio", "invalid_audio"),
        (bytes(1000), "invalid_audio"),
        (wav((0.0, False)), "invalid_audio"),
    ],
    ids=["empty", "text", "zeros", "no samples"],
)
async def test_what_is_not_audio_is_refused(
    client: openai.AsyncClient, data: bytes, code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        await transcribe(client, data)
    assert (failure.value.param, failure.value.code) == ("file", code)
    await still_serves(client)


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"", "multipart/form-data", 400, "invalid_form"),
        (b"", "multipart/form-data; boundary=x", 400, "invalid_form"),
        (b"nothing like it", "multipart/form-data; boundary=x", 400, "invalid_form"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400, "invalid_form"),
        (b"{}", "application/json", 415, "unsupported_media_type"),
        (SPEECH, "audio/wav", 415, "unsupported_media_type"),
    ],
)
async def test_a_bad_body_is_refused(
    client: openai.AsyncClient, content: bytes, content_type: str, status: int, code: str
) -> None:
    response = await post(client, content=content, headers={"Content-Type": content_type})
    assert_refused(response, status, response.json()["error"]["param"], code)
    await still_serves(client)


async def test_a_form_without_a_file_is_refused(client: openai.AsyncClient) -> None:
    response = await post(client, files={"model": (None, "whisper-1")})
    assert_refused(response, 400, "file", "missing_required_parameter")


@pytest.mark.parametrize("announced", [True, False])
async def test_200_megabytes_are_refused_without_being_kept(
    client: openai.AsyncClient, announced: bool
) -> None:
    size, piece = 200 * 1024 * 1024, bytes(1024 * 1024)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield head
        for _ in range(size // len(piece)):
            yield piece

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    if announced:
        headers["Content-Length"] = str(len(head) + size)
    tracemalloc.start()
    try:
        response = await post(client, content=body(), headers=headers, timeout=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert_refused(response, 413, "file", "file_too_large")
    # A growing buffer is copied, so that for a moment there are two.
    assert peak < (5 * 1024 * 1024 if announced else 3 * MAX_FILE)
    await still_serves(client)


async def test_an_upload_that_stops_is_given_up(
    engine: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads_module, "_IDLE_SECONDS", 0.1)
    start = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nRIFF'
    rest = b"\r\n--x--\r\n"
    reader, writer = await asyncio.open_unix_connection(engine.address.removeprefix("unix:"))
    writer.write(
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(start) + len(rest), start)
    )
    async with asyncio.timeout(DEADLINE):
        assert b" 408 " in await reader.readline()
        # The server waits a little for the rest before it closes.
        writer.write(rest)
        assert b'"code": "timeout"' in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_uploads_that_would_fill_the_memory_are_told_to_come_back(
    client: openai.AsyncClient, engine: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads_module, "_MAX_HELD", int(1.5 * len(SPEECH)))
    engine.ear.hang = True
    first = asyncio.create_task(transcribe(client))
    async with asyncio.timeout(DEADLINE):
        while not engine.ear.heard:
            await asyncio.sleep(0.01)
    with pytest.raises(openai.InternalServerError) as failure:
        await transcribe(client)
    assert (failure.value.status_code, failure.value.code) == (503, "overloaded")
    assert failure.value.response.headers["Retry-After"] == "1"
    engine.ear.hang = False
    engine.ear.blocked.set()
    assert (await first).text == "1.5"
    await still_serves(client)


async def test_a_client_that_leaves_is_forgotten(
    client: openai.AsyncClient, engine: TestEngine
) -> None:
    engine.ear.hang = True
    leaving = asyncio.create_task(transcribe(client))
    async with asyncio.timeout(DEADLINE):
        while not engine.ear.heard:
            await asyncio.sleep(0.01)
        assert await open_streams(client) == 1
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        # The ear itself still hangs: nobody waits for it any more.
        while await open_streams(client):
            await asyncio.sleep(0.01)
    engine.ear.hang = False
    engine.ear.blocked.set()
    await still_serves(client)


async def open_streams(client: openai.AsyncClient) -> float:
    text = (await client._client.get("http://engine/metrics")).text
    (line,) = (
        row for row in text.splitlines() if row.startswith('eloquence_engine_streams{kind="stt"')
    )
    return float(line.split()[-1])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EngineError("failed", "The model failed."), 500),
        (EngineError("overloaded", "The speech engine is busy.", retryable=True), 503),
        (ZeroDivisionError("secret"), 500),
    ],
)
async def test_a_failing_ear_is_a_server_error(
    client: openai.AsyncClient, engine: TestEngine, error: Exception, status: int
) -> None:
    engine.ear.error = error  # type: ignore[assignment]
    with pytest.raises(openai.InternalServerError) as failure:
        await transcribe(client)
    assert (failure.value.status_code, failure.value.type) == (status, "server_error")
    assert "secret" not in failure.value.message
    engine.ear.error = None
    await still_serves(client)


async def test_many_at_once(client: openai.AsyncClient) -> None:
    heard = await asyncio.gather(*(transcribe(client) for _ in range(20)))
    assert {transcript.text for transcript in heard} == {"1.5"}
