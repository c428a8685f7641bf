"""``/v1/audio/speech`` with the official client, the real server and a voice that says tones."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from livekit.plugins.local.engine.openai.speech_request import MAX_CHARACTERS
from livekit.plugins.local.errors import EngineError

from tests.support.engine import SECONDS_PER_WORD, TestEngine, run_engine
from tests.support.openai_client import openai_client

pytestmark = pytest.mark.unit

RATE = 24_000
DEADLINE = 10
SPEECH = "/audio/speech"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TestEngine]:
    async with run_engine(tmp_path) as engine:
        yield engine


@pytest.fixture
async def client(engine: TestEngine) -> AsyncIterator[openai.AsyncClient]:
    async with openai_client(engine.address) as client:
        yield client


async def pcm(client: openai.AsyncClient, text: str, **options: Any) -> np.ndarray:
    wanted = {"model": "tts-1", "voice": "alloy", "response_format": "pcm", **options}
    response = await client.audio.speech.create(input=text, **wanted)
    return np.frombuffer(response.content, "<i2")


async def post(client: openai.AsyncClient, **request: Any) -> httpx2.Response:
    """Send what the client would never send."""
    return await client._client.post(f"{client.base_url}audio/speech", **request)


def words(samples: np.ndarray) -> int:
    """How many words were said, pauses left out."""
    return round(int((np.abs(samples) > 1000).sum()) / RATE / SECONDS_PER_WORD)


async def still_serves(client: openai.AsyncClient) -> None:
    assert words(await pcm(client, "Hello there.")) == 2


async def test_a_text_is_spoken_whole_clause_by_clause(
    client: openai.AsyncClient, engine: TestEngine
) -> None:
    text = "Hello there my friend. This is the second sentence. And a third"
    samples = await pcm(client, text)
    assert words(samples) == 12
    # Between two sentences there is a pause of 0.24 s.
    assert len(samples) / RATE == pytest.approx(12 * SECONDS_PER_WORD + 2 * 0.24)
    assert len(engine.voice.spoken) == 3
    assert " ".join(engine.voice.spoken) == text


@pytest.mark.parametrize(
    ("name", "magic", "content_type"),
    [
        ("mp3", b"\xff", "audio/mpeg"),
        ("opus", b"OggS", "audio/ogg"),
        ("aac", b"\xff\xf1", "audio/aac"),
        ("flac", b"fLaC", "audio/flac"),
        ("wav", b"RIFF", "audio/wav"),
        ("pcm", b"", "audio/pcm"),
    ],
)
async def test_every_format_comes_with_its_content_type(
    client: openai.AsyncClient, name: str, magic: bytes, content_type: str
) -> None:
    response = await client.audio.speech.create(
        input="Hello there.",
        model="tts-1",
        voice="nova",
        response_format=name,  # type: ignore[arg-type]
    )
    assert response.response.headers["content-type"] == content_type
    assert response.content.startswith(magic)


async def test_every_answer_has_a_name_of_its_own(client: openai.AsyncClient) -> None:
    answers = [await post(client, json={**BODY, "model": name}) for name in ("tts-1", "x", "x")]
    names = {answer.headers["x-request-id"] for answer in answers}
    assert len(names) == 3
    assert "x-request-id" not in (await client._client.get("http://engine/healthz")).headers


async def test_mp3_is_the_default(client: openai.AsyncClient) -> None:
    response = await client.audio.speech.create(input="Hello.", model="tts-1", voice="nova")
    assert response.response.headers["content-type"] == "audio/mpeg"


@pytest.mark.parametrize("name", ["pcm", "mp3", "opus", "aac", "flac", "wav"])
async def test_the_first_bytes_come_while_the_voice_still_speaks(
    client: openai.AsyncClient, engine: TestEngine, name: str
) -> None:
    engine.voice.hang_after_words = 2
    async with client.audio.speech.with_streaming_response.create(
        input="One two three four.",
        model="tts-1",
        voice="alloy",
        response_format=name,  # type: ignore[arg-type]
    ) as response:
        async with asyncio.timeout(DEADLINE):
            assert await anext(response.iter_bytes())
        assert not engine.voice.cancelled.is_set()


@pytest.mark.parametrize("words_before", [None, 2], ids=["before the first audio", "in mid-audio"])
async def test_a_client_that_leaves_stops_the_voice(
    client: openai.AsyncClient, engine: TestEngine, words_before: int | None
) -> None:
    engine.voice.hang, engine.voice.hang_after_words = words_before is None, words_before
    heard = asyncio.Event()

    async def listen() -> None:
        async with client.audio.speech.with_streaming_response.create(
            input="One two three four.", model="tts-1", voice="alloy", response_format="pcm"
        ) as response:
            async for _ in response.iter_bytes():
                heard.set()

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(DEADLINE):
        while not engine.voice.spoken or not (heard.is_set() or words_before is None):
            await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert await asyncio.to_thread(engine.voice.cancelled.wait, 2)
    engine.voice.hang, engine.voice.hang_after_words = False, None
    await still_serves(client)


async def test_events_carry_the_same_audio(client: openai.AsyncClient) -> None:
    text = "Hello there my friend."
    plain = await pcm(client, text)
    body = {"input": text, "model": "gpt-4o-mini-tts", "voice": "ash", "response_format": "pcm"}
    response = await post(client, json={**body, "stream_format": "sse"})
    assert response.headers["content-type"] == "text/event-stream"
    *deltas, done = events(response.text)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    audio = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert np.array_equal(np.frombuffer(audio, "<i2"), plain)
    assert done["type"] == "speech.audio.done"
    assert done["usage"].keys() == {"input_tokens", "output_tokens", "total_tokens"}


def events(text: str) -> list[dict[str, Any]]:
    lines = [line for line in text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("text", ["   ", "…", "🙂"])
async def test_what_cannot_be_spoken_is_a_moment_of_silence(
    client: openai.AsyncClient, engine: TestEngine, text: str
) -> None:
    samples = await pcm(client, text)
    assert len(samples) == RATE // 10
    assert not samples.any()
    assert engine.voice.spoken == []


@pytest.mark.parametrize("voice", ["tone/a", "alloy", "nova", "cedar", {"id": "alloy"}])
@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd", "gpt-4o-mini-tts-2025-12-15", "tone"])
async def test_names_of_openai_and_our_own_speak(
    client: openai.AsyncClient, model: str, voice: Any
) -> None:
    assert words(await pcm(client, "Hello there.", model=model, voice=voice)) == 2


async def test_the_speeds_of_openai_are_taken_and_kept_within_those_of_the_voice(
    client: openai.AsyncClient,
) -> None:
    for speed in (0.25, 0.5, 1, 2, 4.0):
        assert words(await pcm(client, "Hello there.", speed=speed)) == 2


BODY = {"input": "Hello.", "model": "tts-1", "voice": "alloy"}


@pytest.mark.parametrize(
    ("change", "status", "param", "code"),
    [
        ({"model": "tts-9"}, 404, "model", "model_not_found"),
        ({"voice": "bob"}, 400, "voice", "unknown_voice"),
        ({"voice": "tone/bob"}, 400, "voice", "unknown_voice"),
        ({"voice": "piper/bob"}, 400, "voice", "unknown_voice"),
        ({"language": "de"}, 400, "language", "unknown_language"),
        ({"voice": "tone/a", "language": "de"}, 400, "language", "unknown_language"),
        ({"language": 5}, 400, "language", "invalid_value"),
        ({"input": ""}, 400, "input", "invalid_value"),
        ({"input": ["Hello."]}, 400, "input", "invalid_value"),
        ({"input": "a" * (MAX_CHARACTERS + 1)}, 400, "input", "invalid_value"),
        ({"input": None}, 400, "input", "missing_required_parameter"),
        ({"model": None}, 400, "model", "missing_required_parameter"),
        ({"voice": None}, 400, "voice", "missing_required_parameter"),
        ({"voice": {"name": "x"}}, 400, "voice", "missing_required_parameter"),
        ({"response_format": "midi"}, 400, "response_format", "invalid_value"),
        ({"response_format": ["mp3"]}, 400, "response_format", "invalid_value"),
        ({"stream_format": "ws"}, 400, "stream_format", "invalid_value"),
        ({"speed": 0.2}, 400, "speed", "invalid_value"),
        ({"speed": 4.1}, 400, "speed", "invalid_value"),
        ({"speed": "fast"}, 400, "speed", "invalid_value"),
        ({"speed": True}, 400, "speed", "invalid_value"),
    ],
)
async def test_a_bad_parameter_is_named(
    client: openai.AsyncClient, change: dict[str, Any], status: int, param: str, code: str
) -> None:
    response = await post(client, json={**BODY, **change})
    assert_refused(response, status, param, code)
    await still_serves(client)


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"", "application/json", 400, "invalid_json"),
        (b"{not json", "application/json", 400, "invalid_json"),
        (b"\xff\xfe\x00", "application/json", 400, "invalid_json"),
        (b"[" * 200_000, "application/json", 400, "invalid_json"),
        (b'["a list"]', "application/json", 400, "invalid_json"),
        (b"{}", "application/json", 400, "missing_required_parameter"),
        (b"input=Hello", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (bytes(2 * 1024 * 1024), "application/json", 413, "too_large"),
    ],
    ids=["empty", "not json", "not text", "deep", "list", "nothing", "form", "text", "2 MB"],
)
async def test_a_bad_body_is_refused(
    client: openai.AsyncClient, content: bytes, content_type: str, status: int, code: str
) -> None:
    headers = {"Content-Type": content_type}
    response = await post(client, content=content, headers=headers)
    assert_refused(response, status, response.json()["error"]["param"], code)
    await still_serves(client)


def assert_refused(response: httpx2.Response, status: int, param: str | None, code: str) -> None:
    error = response.json()["error"]
    assert (response.status_code, error["param"], error["code"]) == (status, param, code)
    assert error["type"] == "invalid_request_error"
    assert error["message"].endswith(".")


async def test_the_client_raises_what_it_raises_for_openai(client: openai.AsyncClient) -> None:
    with pytest.raises(openai.NotFoundError) as not_found:
        await pcm(client, "Hello.", model="tts-9")
    assert (not_found.value.code, not_found.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError, match="tone/a"):
        await pcm(client, "Hello.", voice="tone/bob")


async def test_a_voice_that_fails_before_its_first_audio_is_a_server_error(
    client: openai.AsyncClient, engine: TestEngine
) -> None:
    engine.voice.error = EngineError("failed", "The voice failed.")
    with pytest.raises(openai.InternalServerError) as failure:
        await pcm(client, "Hello.")
    assert failure.value.status_code == 500
    assert failure.value.type == "server_error"
    assert "The voice failed." in failure.value.message
    engine.voice.error = None
    await still_serves(client)


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
async def test_a_voice_that_fails_in_mid_audio_is_no_complete_answer(
    client: openai.AsyncClient, engine: TestEngine, stream_format: str
) -> None:
    received = b""
    request = client.audio.speech.with_streaming_response.create(
        input="One two three. Four five six.",
        model="tts-1",
        voice="alloy",
        response_format="pcm",
        stream_format=stream_format,  # type: ignore[arg-type]
    )
    with pytest.raises(httpx2.RemoteProtocolError):
        async with request as response:
            async for chunk in response.iter_bytes():
                received += chunk
                engine.voice.error = EngineError("failed", "The voice failed.")
    assert received
    assert (b'"message": "The voice failed."' in received) is (stream_format == "sse")
    engine.voice.error = None
    await still_serves(client)


async def test_fifty_at_once(client: openai.AsyncClient) -> None:
    spoken = await asyncio.gather(*(pcm(client, "One two three.") for _ in range(50)))
    assert {words(samples) for samples in spoken} == {3}
