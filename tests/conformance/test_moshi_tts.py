"""Kyutai's voice at a moshi-server, fake or real: what the kit's rules know nothing of."""

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError
from livekit.plugins import kyutai
from livekit.plugins.kyutai.connection import Endpoint, open_connection
from livekit.plugins.kyutai.server import MoshiServer

from tests.conformance.kit import tones
from tests.conformance.kit.bench import options
from tests.conformance.kit.tts_speech import Speech
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.running import Kind, Moshi, every_server
from tests.support.moshi.stub_tts import CRASH, SHAPE

pytestmark = pytest.mark.conformance

SOON = 10.0
TEXT = tones.statement(5)


@asynccontextmanager
async def voice(moshi: Moshi, **arguments: Any) -> AsyncIterator[kyutai.TTS]:
    plugin = kyutai.TTS(base_url=moshi.address, **arguments)
    try:
        yield plugin
    finally:
        await plugin.aclose()


async def speak(
    plugin: kyutai.TTS, *pieces: str, timeout: float = SOON, retries: int = 0
) -> Speech:
    stream = plugin.stream(conn_options=options(timeout, retries))
    for piece in pieces:
        stream.push_text(piece)
    stream.end_input()
    audio = []
    error: BaseException | None = None
    try:
        async with asyncio.timeout(SOON * 2), stream:
            async for event in stream:
                audio.append(event)
    except APIError as raised:
        error = raised
    return Speech(audio, error, None, 0)


async def failure(plugin: kyutai.TTS, text: str = TEXT, **arguments: Any) -> APIError:
    error = (await speak(plugin, text, **arguments)).error
    assert isinstance(error, APIError)
    return error


@every_server()
async def test_captions_leave_pauses_out_and_end_with_the_audio(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, voice(moshi) as plugin:
        speech = await speak(plugin, "Alpha bravo <break ti", 'me="0.5s"/> charlie del', "ta.")
    assert speech.error is None
    assert speech.words == ["alpha", "bravo", "charlie", "delta"]
    assert speech.timed == ["Alpha ", "bravo ", "charlie ", "delta. "]
    heard = tones.hear_timed(speech.samples, speech.rate)
    for word, (_, start, _) in zip(speech.timed, heard, strict=True):
        assert isinstance(word.start_time, float) and abs(word.start_time - start) <= 0.17
    assert speech.timed[-1].end_time == pytest.approx(speech.seconds, abs=0.011)


@every_server()
async def test_a_named_voice_and_an_unknown_one(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi:
        seconds = []
        for name in (None, "unmute-prod-website/unknown.wav", "folder/slow"):
            async with voice(moshi, voice=name) as plugin:
                seconds.append((await speak(plugin, TEXT)).seconds)
    plain, unknown, slow = seconds
    assert unknown == plain and slow > 1.5 * plain


@every_server()
async def test_an_embedding_speaks_streams_and_whole_texts(kind: Kind, tmp_path: Path) -> None:
    values = np.zeros(SHAPE, np.float32)
    mine = kyutai.VoiceEmbedding.from_values(values, name="mine")
    async with kind.running(tmp_path) as moshi, voice(moshi, voice=mine) as plugin:
        streamed = await speak(plugin, TEXT)
        whole = [event async for event in plugin.synthesize(TEXT)]
        plugin.update_options(voice=None)
        plain = await speak(plugin, TEXT)
    assert streamed.words == tones.words_of(TEXT) == Speech(whole, None, None, 0).words
    assert streamed.seconds > 1.5 * plain.seconds
    assert Speech(whole, None, None, 0).seconds > 1.5 * plain.seconds


@every_server()
async def test_a_recording_becomes_a_voice(kind: Kind, tmp_path: Path) -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(24_000)
        recording.writeframes((tones.speak(TEXT, 24_000) * 32767).astype("<i2").tobytes())
    async with kind.running(tmp_path) as moshi:
        cloned = await kyutai.clone_voice(file.getvalue(), base_url=moshi.address)
        async with voice(moshi, voice=cloned) as plugin:
            assert (await speak(plugin, TEXT)).words == tones.words_of(TEXT)
        with pytest.raises(APIConnectionError, match="could not use the recording"):
            await kyutai.clone_voice(b"no sound", base_url=moshi.address)
        with pytest.raises(APIStatusError, match="nothing at /api/clone"):
            await kyutai.clone_voice(b"", base_url=moshi.address, path="/api/clone")
    with pytest.raises(kyutai.VoiceError, match="16 MiB"):
        await kyutai.clone_voice(bytes(17 * 1024 * 1024), base_url=moshi.address)


@every_server()
async def test_an_interruption_frees_the_slot_at_once(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, step_seconds=0.02) as moshi, voice(moshi) as plugin:
        best = float("inf")
        for _ in range(3):
            stream = plugin.stream()
            stream.push_text(tones.statement(200))
            await anext(aiter(stream))
            assert await moshi.used() == 1
            began = time.perf_counter()
            await stream.aclose()
            await moshi.until_used(0)
            best = min(best, time.perf_counter() - began)
        assert best < 0.3


@every_server()
async def test_turns_leave_no_slot_taken(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, voice(moshi) as plugin:
        for turn in range(20):
            if turn % 3:
                assert (await speak(plugin, TEXT)).words == tones.words_of(TEXT)
            else:
                stream = plugin.stream()
                stream.push_text(tones.statement(100))
                await anext(aiter(stream))
                await stream.aclose()
        await moshi.until_used(0)


@every_server()
async def test_a_slot_that_is_freed_soon_is_waited_for(kind: Kind, tmp_path: Path) -> None:
    async with (
        kind.running(tmp_path, batch_size=1, step_seconds=0.01) as moshi,
        voice(moshi) as first,
        voice(moshi) as second,
    ):
        stream = first.stream()
        stream.push_text(tones.statement(50))
        await anext(aiter(stream))
        waiting = asyncio.create_task(speak(second, TEXT))
        await asyncio.sleep(0.05)
        await stream.aclose()
        speech = await waiting
    assert speech.error is None and speech.words == tones.words_of(TEXT)


@every_server()
async def test_a_full_server_is_an_error_worth_another_attempt(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, batch_size=1) as moshi, voice(moshi) as plugin:
        stream = plugin.stream()
        stream.push_text(tones.sentence(20))
        await anext(aiter(stream))
        error = await failure(plugin)
        await stream.aclose()
    assert isinstance(error, APIStatusError) and error.status_code == 503 and error.retryable
    assert "no free slot" in error.message and "batch_size" in error.message


@every_server()
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"api_key": "wrong"}, "does not accept the api_key"),
        ({"path": "/api/tts"}, "nothing at /api/tts;"),
        ({"path": "/api/build_info"}, "is it a moshi-server"),
        ({"api_key": "é"}, "plain ASCII"),
    ],
)
async def test_what_is_wrong_with_the_settings_is_said_and_not_tried_again(
    kind: Kind, tmp_path: Path, arguments: dict[str, str], said: str
) -> None:
    async with kind.running(tmp_path) as moshi, voice(moshi, **arguments) as plugin:
        errors: list[Any] = []
        plugin.on("error", errors.append)
        error = await failure(plugin, retries=2)
        assert said in error.message
        assert not error.retryable
        assert len(errors) == 1
        with pytest.raises(APIError) as whole:
            async for _ in plugin.synthesize(TEXT, conn_options=options(SOON, 2)):
                pytest.fail("it spoke")
        assert not whole.value.retryable


@every_server()
async def test_a_query_that_is_not_understood(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi:
        server = MoshiServer(moshi.address, "public_token")
        with pytest.raises(APIStatusError, match="does not understand the request") as error:
            await open_connection(server, Endpoint(PATH, {"format": "Sung"}), timeout=SOON)
        assert not error.value.retryable
        await server.aclose()


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1", "127.0.0.1:8080", "ws://", "", "ws://[", "unix:x"]
)
async def test_an_address_that_is_none(url: str) -> None:
    plugin = kyutai.TTS(base_url=url)
    error = await failure(plugin)
    assert not error.retryable
    assert "base_url" in error.message
    await plugin.aclose()


@every_server()
async def test_a_stuck_model_is_noticed(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, batch_size=8, ping=0.2) as moshi, voice(moshi) as plugin:
        for text in (CRASH, TEXT):
            error = await failure(plugin, text, timeout=0.5)
            assert isinstance(error, APITimeoutError) and error.retryable


@every_server()
async def test_a_connection_ahead_of_the_text_answers_pings_and_is_used(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path, ping=0.1) as moshi, voice(moshi, prewarm=True) as plugin:
        used: list[bool] = []
        plugin.on("metrics_collected", lambda found: used.append(found.connection_reused))
        stream = plugin.stream(conn_options=options(SOON))
        await moshi.until_used(1)
        if kind.binary is None:
            # Longer than a client that does not answer is kept.
            await asyncio.sleep(5 * moshi.ping)
        assert await moshi.used() == 1
        stream.push_text(TEXT)
        stream.end_input()
        speech = Speech([event async for event in stream], None, None, 0)
        await stream.aclose()
        assert speech.words == tones.words_of(TEXT)
        assert used == [True]
        await moshi.until_used(0)


@every_server()
@pytest.mark.parametrize("how", ["closed", "no text"])
async def test_a_connection_ahead_of_text_that_never_comes_is_given_back(
    kind: Kind, tmp_path: Path, how: str
) -> None:
    async with kind.running(tmp_path) as moshi, voice(moshi, prewarm=True) as plugin:
        stream = plugin.stream()
        await moshi.until_used(1)
        if how == "no text":
            stream.end_input()
            assert [event async for event in stream] == []
        await stream.aclose()
        await moshi.until_used(0)


@every_server()
async def test_without_a_slot_ahead_of_the_text_there_is_one_when_it_comes(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path, batch_size=1) as moshi:
        server = MoshiServer(moshi.address, "public_token")
        endpoint = Endpoint(PATH, {"format": "PcmMessagePack"})
        other = await open_connection(server, endpoint, timeout=SOON)
        async with voice(moshi, prewarm=True) as plugin:
            stream = plugin.stream(conn_options=options(SOON))
            # It tries a while, in vain, which is no error: there is nothing to say yet.
            await asyncio.sleep(1.2)
            await other.aclose()
            await moshi.until_used(0)
            stream.push_text(TEXT)
            stream.end_input()
            speech = Speech([event async for event in stream], None, None, 0)
            await stream.aclose()
        await server.aclose()
    assert speech.words == tones.words_of(TEXT)
