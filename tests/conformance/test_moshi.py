"""What a moshi-server does, as the plugin relies on it: keys, slots, pings, whole texts.

The fake has to do as the real one does.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType

from tests.conformance.kit import tones
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.client import SOON
from tests.support.moshi.client_tts import TEXT, Client, connected, samples, spoken
from tests.support.moshi.fake_tts import PATH
from tests.support.moshi.running import Kind, every_server
from tests.support.moshi.stub_tts import CRASH

pytestmark = pytest.mark.conformance


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
        await moshi.until_used(0)
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
        await moshi.until_used(0)
        async with connected(moshi) as client:
            # Nothing of the one before comes to the next one.
            messages = await client.speak("zulu")
            assert [word["text"] for word in spoken(messages)] == ["zulu"]


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
        await moshi.until_used(1)
        assert tones.hear(samples(await _finish(quiet)), 24_000) == tones.words_of(TEXT)


async def _finish(client: Client) -> list[dict[str, Any]]:
    await client.send(type="Text", text=TEXT)
    await client.send(type="Eos")
    return await client.rest()
