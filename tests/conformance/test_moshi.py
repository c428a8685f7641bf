"""What a moshi-server does, as the plugin relies on it: the fake has to do as the real one does."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgpack
import numpy as np
import pytest
from aiohttp import WSMsgType

from tests.conformance.kit import tones
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.running import Kind, Moshi, every_server
from tests.support.moshi.stub_tts import CRASH, FRAME, SHAPE

pytestmark = pytest.mark.conformance

SOON = 10.0
"""Seconds until what must happen has happened, on a busy machine."""
TEXT = tones.statement(5)


class Client:
    """One WebSocket, without any of the plugin's code."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **fields: Any) -> None:
        await self.socket.send_bytes(msgpack.packb(fields, use_single_float=True))

    async def frame(self) -> aiohttp.WSMessage:
        return await self.socket.receive(timeout=SOON)

    async def message(self) -> dict[str, Any]:
        frame = await self.frame()
        assert frame.type is WSMsgType.BINARY, frame
        found: dict[str, Any] = msgpack.unpackb(frame.data)
        return found

    async def rest(self) -> list[dict[str, Any]]:
        """Return all messages until the server's Close, which must come, and is empty."""
        messages = []
        while (frame := await self.frame()).type is WSMsgType.BINARY:
            messages.append(msgpack.unpackb(frame.data))
        assert (frame.type, frame.data, frame.extra) == (WSMsgType.CLOSE, 0, "")
        return messages

    async def speak(self, text: str) -> list[dict[str, Any]]:
        """Have a text spoken; return what came after Ready."""
        await self.send(type="Text", text=text)
        await self.send(type="Eos")
        assert await self.message() == {"type": "Ready"}
        return await self.rest()


@asynccontextmanager
async def connected(
    moshi: Moshi, query: str = "?format=PcmMessagePack", key: str | None = API_KEY
) -> AsyncIterator[Client]:
    headers = {} if key is None else {"kyutai-api-key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            moshi.address + PATH + query,
            headers=headers,
            autoclose=False,
            max_msg_size=0,
            # A server whose model is stuck does not say goodbye.
            timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
        ) as socket,
    ):
        yield Client(socket)


def samples(messages: list[dict[str, Any]]) -> tones.Samples:
    parts = [message["pcm"] for message in messages if message["type"] == "Audio"]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float32)


def spoken(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == "Text"]


async def until_used(moshi: Moshi, count: int) -> None:
    async with asyncio.timeout(SOON):
        while await moshi.used() != count:
            await asyncio.sleep(0.005)


@every_server()
async def test_an_utterance_is_ready_then_audio_and_words_then_an_empty_close(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak(TEXT)
        audio = [message for message in messages if message["type"] == "Audio"]
        assert {len(message["pcm"]) for message in audio} == {FRAME}
        assert tones.hear(samples(messages), 24_000) == tones.words_of(TEXT)
        assert [word["text"] for word in spoken(messages)] == TEXT.split()


@every_server()
async def test_words_have_times_and_the_last_one_outlasts_the_audio(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak(TEXT)
    words = spoken(messages)
    for word, following in itertools.pairwise(words):
        assert word["stop_s"] == following["start_s"]
    heard = tones.hear_timed(samples(messages), 24_000)
    for word, (_, start, _) in zip(words, heard, strict=True):
        assert abs(word["start_s"] - start) <= 0.16 + 1e-6
    assert words[-1]["stop_s"] > len(samples(messages)) / 24_000
    assert messages[-1] == words[-1]


@every_server()
async def test_a_word_is_told_when_the_next_one_begins(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.send(type="Text", text=tones.sentence(4))
        kinds = []
        while "Text" not in kinds:
            kinds.append((await client.message())["type"])
        # Four words, of which two may be begun: the first is over, and its audio has not come yet.
        assert kinds.count("Audio") <= 1


@every_server()
async def test_without_eos_the_last_words_are_not_spoken(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.send(type="Text", text=tones.sentence(2))
        with pytest.raises(TimeoutError):
            await client.socket.receive(timeout=0.3)
        await client.send(type="Eos")
        assert tones.hear(samples(await client.rest()), 24_000) == tones.sentence(2).split()


@every_server()
async def test_a_word_cut_in_two_messages_is_two_words(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Text", text="alpha bra")
        messages = await client.speak("vo charlie")
        assert [word["text"] for word in spoken(messages)] == ["alpha", "bra", "vo", "charlie"]


@every_server()
async def test_text_is_normalised(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak("it’s (alpha) – bravo:charlie")
        words = [word["text"] for word in spoken(messages)]
        assert words == ["it's", "alpha", "bravo", "charlie"]


@every_server()
@pytest.mark.parametrize(
    ("seconds", "echo", "pause"), [("0.5", "0.50", 0.48), ("0.01", "0.01", 0.08)]
)
async def test_a_pause_is_silence_with_an_echo(
    kind: Kind, tmp_path: Path, seconds: str, echo: str, pause: float
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        messages = await client.speak(f'alpha bravo <break time="{seconds}s"/> charlie delta')
        words = [word["text"] for word in spoken(messages)]
        assert words == ["alpha", "bravo", f'<break time="{echo}s">', "charlie", "delta"]
        heard = tones.hear_timed(samples(messages), 24_000)
        assert heard[2][1] - heard[1][1] == pytest.approx(tones.WORD_SECONDS + pause, abs=0.02)


@every_server()
async def test_a_pause_cut_in_two_messages_is_read_aloud(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Text", text="alpha <break ")
        messages = await client.speak('time="0.5s"/> bravo')
        words = [word["text"] for word in spoken(messages)]
        assert words == ["alpha", "<break", 'time="0.5s"/>', "bravo"]


@every_server()
async def test_eos_may_be_a_zero_byte_and_text_a_text_frame(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.socket.send_str(TEXT)
        await client.socket.send_bytes(b"\0")
        assert tones.hear(samples(await client.rest()), 24_000) == tones.words_of(TEXT)


@every_server()
async def test_eos_without_text_is_a_close(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Eos")
        assert await client.message() == {"type": "Ready"}
        assert await client.rest() == []


@every_server()
@pytest.mark.parametrize(
    "nonsense",
    [
        {"type": "Sing", "text": "la"},
        {"type": "text", "text": "lower case"},
        {"type": "Text"},
        {"type": "Text", "text": 1},
        {"type": "Voice", "embeddings": b"\0\0\0\0", "shape": [1]},
        [1, 2],
    ],
    ids=str,
)
async def test_nonsense_is_a_close_without_an_error(
    kind: Kind, tmp_path: Path, nonsense: object
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        await client.socket.send_bytes(msgpack.packb(nonsense))
        assert await client.rest() == []
        await client.socket.close()
        await until_used(moshi, 0)


@every_server()
@pytest.mark.parametrize(
    "message",
    [
        msgpack.packb({"text": b"alpha bravo", "type": "Text", "more": 1}),
        msgpack.packb(["Text", "alpha bravo"]),
        msgpack.packb({"type": "Text", "text": "alpha bravo"}) + b"more",
    ],
    ids=["bytes", "positional", "followed"],
)
async def test_messages_are_read_generously(kind: Kind, tmp_path: Path, message: bytes) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.socket.send_bytes(message)
        messages = await client.speak("charlie")
        assert [word["text"] for word in spoken(messages)] == ["alpha", "bravo", "charlie"]


@every_server()
@pytest.mark.parametrize(
    ("query", "key", "status"),
    [
        ("?format=PcmMessagePack", "wrong", 401),
        ("?format=PcmMessagePack", None, 401),
        (f"?format=PcmMessagePack&auth_id={API_KEY}", "wrong", 401),
        ("?format=pcmmessagepack", API_KEY, 400),
        ("?format=Sung", "wrong", 400),
        ("/not/here", API_KEY, 404),
    ],
)
async def test_refusals_are_http_statuses(
    kind: Kind, tmp_path: Path, query: str, key: str | None, status: int
) -> None:
    async with kind.running(tmp_path) as moshi:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(moshi, query, key):
                pass
        assert refused.value.status == status
        assert await moshi.used() == 0


@every_server()
async def test_the_key_may_come_in_the_query(kind: Kind, tmp_path: Path) -> None:
    query = f"?format=PcmMessagePack&auth_id={API_KEY}&cfg_alpha=2.5&seed=1"
    async with kind.running(tmp_path) as moshi, connected(moshi, query, None) as client:
        assert await client.message() == {"type": "Ready"}


@every_server()
async def test_a_full_server_says_so_after_the_upgrade(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, batch_size=1) as moshi:
        async with connected(moshi) as client:
            assert await client.message() == {"type": "Ready"}
            assert await moshi.used() == 1
            async with connected(moshi) as second:
                assert await second.message() == {"type": "Error", "message": "no free channels"}
                assert await second.rest() == []
            async with connected(moshi, "?format=Pcm") as third:
                assert (await third.frame()).type is WSMsgType.CLOSED
        await until_used(moshi, 0)
        async with connected(moshi) as client:
            assert await client.message() == {"type": "Ready"}


@every_server()
async def test_who_leaves_in_mid_utterance_frees_the_slot(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, step_seconds=0.02) as moshi:
        async with connected(moshi) as client:
            await client.send(type="Text", text=tones.statement(200))
            for _ in range(5):
                await client.message()
            assert await moshi.used() == 1
        await until_used(moshi, 0)
        async with connected(moshi) as client:
            # Nothing of the one before comes to the next one.
            messages = await client.speak("zulu")
            assert [word["text"] for word in spoken(messages)] == ["zulu"]


@every_server()
@pytest.mark.parametrize("raw", ["Pcm", "OggOpus"])
async def test_raw_formats_are_audio_alone(kind: Kind, tmp_path: Path, raw: str) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi, f"?format={raw}") as client:
        await client.send(type="Text", text=TEXT)
        await client.send(type="Eos")
        frames = []
        while (frame := await client.frame()).type is WSMsgType.BINARY:
            frames.append(frame.data)
        assert (frame.type, frame.data) == (WSMsgType.CLOSE, 0)
        if raw == "Pcm":
            assert {len(data) for data in frames} == {4 * FRAME}
            heard = np.frombuffer(b"".join(frames), "<f4")
            assert tones.hear(heard.astype(np.float32), 24_000) == tones.words_of(TEXT)
        else:
            assert all(data.startswith(b"OggS") for data in frames)


@every_server()
async def test_opus_comes_in_messages_too(kind: Kind, tmp_path: Path) -> None:
    query = "?format=OggOpusMessagePack"
    async with kind.running(tmp_path) as moshi, connected(moshi, query) as client:
        messages = await client.speak(TEXT)
        pages = [message["data"] for message in messages if message["type"] == "OggOpus"]
        assert all(bytes(page).startswith(b"OggS") for page in pages)
        assert [word["text"] for word in spoken(messages)] == TEXT.split()


@every_server()
async def test_an_embedding_counts_before_the_first_text_only(kind: Kind, tmp_path: Path) -> None:
    values = np.zeros(SHAPE, np.float32)
    voice = {"type": "Voice", "embeddings": values.ravel().tolist(), "shape": list(SHAPE)}
    async with kind.running(tmp_path) as moshi:
        lengths = []
        for before, after in ((False, False), (True, False), (False, True)):
            async with connected(moshi) as client:
                if before:
                    await client.send(**voice)
                await client.send(type="Text", text="alpha")
                if after:
                    await client.send(**voice)
                lengths.append(len(samples(await client.speak("bravo charlie delta echo"))))
        plain, early, late = lengths
        assert early > 1.5 * plain and late == plain


@every_server()
async def test_numbers_that_do_not_fit_their_shape_are_the_default_voice(
    kind: Kind, tmp_path: Path
) -> None:
    async with kind.running(tmp_path) as moshi, connected(moshi) as client:
        await client.send(type="Voice", embeddings=[0.5, 1], shape=[3])
        messages = await client.speak(TEXT)
        assert tones.hear(samples(messages), 24_000) == tones.words_of(TEXT)


@every_server()
@pytest.mark.parametrize("how", ["tensor", "word"])
async def test_an_error_in_the_model_ends_all_speech_and_nobody_is_told(
    kind: Kind, tmp_path: Path, how: str
) -> None:
    async with kind.running(tmp_path, batch_size=3) as moshi, connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        async with connected(moshi) as other:
            assert await other.message() == {"type": "Ready"}
            if how == "tensor":
                await other.send(type="Voice", embeddings=[1.0, 2.0], shape=[2])
            await other.send(type="Text", text=CRASH)
            await client.send(type="Text", text=TEXT)
            await client.send(type="Eos")
            with pytest.raises(TimeoutError):
                await client.socket.receive(timeout=0.5)
            async with connected(moshi) as third:
                assert await third.message() == {"type": "Ready"}
            # Slots are given back by the loop, which is no more.
            assert await moshi.used() == 3


@every_server()
async def test_a_whole_text_is_a_wav_file_without_sizes(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, aiohttp.ClientSession() as session:
        answer = await session.post(
            moshi.address + PATH,
            json={"text": TEXT, "voice": "default"},
            headers={"kyutai-api-key": API_KEY},
        )
        wav = await answer.read()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/wav")
    assert (wav[:8], wav[36:44]) == (b"RIFF\xff\xff\xff\xff", b"data\xff\xff\xff\xff")
    assert int.from_bytes(wav[24:28], "little") == 24_000
    heard = np.frombuffer(wav[44:], "<i2").astype(np.float32) / np.float32(32768)
    assert tones.hear(heard, 24_000) == tones.words_of(TEXT)


@every_server()
@pytest.mark.parametrize(
    ("body", "headers", "query", "status"),
    [
        ({"text": TEXT, "voice": ""}, {}, "", 401),
        ({"text": TEXT, "voice": ""}, {}, f"?auth_id={API_KEY}", 401),
        ({"text": TEXT}, {"kyutai-api-key": API_KEY}, "", 422),
        ({"text": TEXT, "voice": ""}, {"kyutai-api-key": API_KEY}, "/not/here", 405),
    ],
)
async def test_a_whole_text_may_be_refused(
    kind: Kind, tmp_path: Path, body: object, headers: dict[str, str], query: str, status: int
) -> None:
    async with kind.running(tmp_path) as moshi, aiohttp.ClientSession() as session:
        answer = await session.post(moshi.address + PATH + query, json=body, headers=headers)
        assert answer.status == status


@every_server()
async def test_a_whole_text_waits_for_a_slot(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path, batch_size=1) as moshi, aiohttp.ClientSession() as session:
        request = {"text": TEXT, "voice": ""}
        headers = {"kyutai-api-key": API_KEY}
        async with connected(moshi) as client:
            assert await client.message() == {"type": "Ready"}
            post = asyncio.create_task(
                session.post(moshi.address + PATH, json=request, headers=headers)
            )
            done, _ = await asyncio.wait([post], timeout=0.3)
            assert not done
        async with asyncio.timeout(SOON):
            answer = await post
            assert len(await answer.read()) > 44


@every_server()
async def test_what_the_server_says_of_itself(kind: Kind, tmp_path: Path) -> None:
    async with kind.running(tmp_path) as moshi, aiohttp.ClientSession() as session:
        async with session.get(f"{moshi.address}/api/build_info") as answer:
            assert isinstance(json.loads(await answer.text()), dict)
        async with session.get(f"{moshi.address}/api/modules_info") as answer:
            (voice,) = [module for module in await answer.json() if module["type"] == "py"]
        async with session.get(f"{moshi.address}/metrics") as answer:
            assert "py_open_channels" not in await answer.text()
        async with connected(moshi) as client:
            await client.speak(TEXT)
        async with session.get(f"{moshi.address}/metrics") as answer:
            assert "py_open_channels" in await answer.text()
    assert (voice["path"], voice["used_slots"], voice["total_slots"]) == (PATH, "0", "2")


@every_server()
async def test_who_answers_pings_is_kept_and_who_does_not_is_dropped(
    kind: Kind, tmp_path: Path
) -> None:
    async with (
        kind.running(tmp_path, ping=0.2) as moshi,
        connected(moshi) as quiet,
        connected(moshi) as mute,
    ):
        assert await quiet.message() == {"type": "Ready"}
        assert await mute.message() == {"type": "Ready"}
        # Pings are answered by whoever reads, and only then.
        with pytest.raises(TimeoutError):
            # Not aiohttp's own timeout, which each ping begins anew.
            await asyncio.wait_for(quiet.socket.receive(), 3.5 * moshi.ping)
        await until_used(moshi, 1)
        assert tones.hear(samples(await _finish(quiet)), 24_000) == tones.words_of(TEXT)


async def _finish(client: Client) -> list[dict[str, Any]]:
    await client.send(type="Text", text=TEXT)
    await client.send(type="Eos")
    return await client.rest()
