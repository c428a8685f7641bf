"""What a moshi-server's ear does, as the plugin relies on it, and the plugin at each kind of it.

``batched`` is the fake of the module of type ``BatchedAsr``, which runs Kyutai's model; ``python``
that of ``PyBatchedAsr``, the one kind that the real server runs with a toy model: where it is
installed, it has to pass the same tests.
"""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgpack
import numpy as np
import pytest
from aiohttp import WSMsgType
from livekit.agents import APIConnectOptions, APIStatusError, stt
from livekit.plugins import kyutai

from tests.conformance.kit import tones
from tests.conformance.kit.stt_bench import (
    FINAL,
    INTERIM,
    PREFLIGHT,
    Hearing,
    frames,
    push,
    silence,
    utter,
)
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.fake import TONES, fake_server
from tests.support.moshi.fake_ears import Ears
from tests.support.moshi.fake_stt import PATH, SpeechToText
from tests.support.moshi.real import EAR, real_server, server_binary
from tests.support.moshi.stub_stt import FRAME, RATE, Dictation, load
from tests.support.moshi.tokenizer import FIRST_WORD

pytestmark = pytest.mark.conformance

Kind = Literal["batched", "python", "real"]

SOON = 10.0
"""Seconds until what must happen has happened, on a busy machine."""
SLOTS = 2
DELAY = 6
SAID = tones.sentence(4)
TAIL = np.zeros((DELAY + 4) * FRAME, np.float32)
OPTIONS = APIConnectOptions(max_retry=0, timeout=SOON)

KINDS: list[Kind] = ["batched", "python"]
if server_binary():
    KINDS.append("real")


@dataclass(frozen=True)
class Moshi:
    """A running server."""

    kind: Kind
    address: str

    async def used(self) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.address}/api/modules_info") as response,
        ):
            modules = await response.json()
        return sum(int(module["used_slots"]) for module in modules)

    async def until_used(self, count: int) -> None:
        async with asyncio.timeout(SOON):
            while await self.used() != count:
                await asyncio.sleep(0.005)


@pytest.fixture(params=KINDS)
async def moshi(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Moshi]:
    if request.param == "real":
        binary = server_binary()
        assert binary
        async with real_server(binary, tmp_path, batch_size=SLOTS, voice=None, ear=EAR) as real:
            yield Moshi("real", real.address)
    else:
        python = Dictation(SLOTS, str(TONES), FIRST_WORD) if request.param == "python" else None
        ears = Ears(load(str(TONES)), SLOTS, delay=DELAY, python=python)
        async with fake_server(hearing=SpeechToText(ears)) as fake:
            yield Moshi(request.param, fake.address)


class Client:
    """One WebSocket, without any of the plugin's code."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **fields: Any) -> None:
        await self.socket.send_bytes(msgpack.packb(fields, use_single_float=True))

    async def say(self, *parts: tones.Samples) -> None:
        for part in parts:
            await self.send(type="Audio", pcm=part.tolist())

    async def frame(self) -> aiohttp.WSMessage:
        return await self.socket.receive(timeout=SOON)

    async def message(self) -> dict[str, Any]:
        frame = await self.frame()
        assert frame.type is WSMsgType.BINARY, frame
        found: dict[str, Any] = msgpack.unpackb(frame.data)
        return found

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages up to the next one of a kind."""
        messages = [await self.message()]
        while messages[-1]["type"] != kind:
            messages.append(await self.message())
        return messages

    async def words(self, count: int) -> list[dict[str, Any]]:
        """Return the messages up to so many words."""
        messages: list[dict[str, Any]] = []
        while len(text_of(messages).split()) < count:
            messages.append(await self.message())
        return messages

    async def dropped(self) -> None:
        """Demand that the server drops the line, without a Close."""
        while (frame := await self.frame()).type is WSMsgType.BINARY:
            assert msgpack.unpackb(frame.data)["type"] != "Error"
        assert frame.type is WSMsgType.CLOSED, frame


@asynccontextmanager
async def connected(
    moshi: Moshi, query: str = "", key: str | None = API_KEY
) -> AsyncIterator[Client]:
    headers = {} if key is None else {"kyutai-api-key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            moshi.address + PATH + query, headers=headers, autoclose=False
        ) as socket,
    ):
        yield Client(socket)


def text_of(messages: list[dict[str, Any]]) -> str:
    return " ".join(message["text"].strip() for message in messages if message["type"] == "Word")


def wav(samples: tones.Samples) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


async def test_ready_comes_first_and_a_step_for_each_frame(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        assert await client.message() == {"type": "Ready"}
        if moshi.kind != "batched":
            # There the beginning counts as a step.
            assert (await client.message())["type"] == "Step"
        for _ in range(3):
            await client.say(np.zeros(FRAME, np.float32))
            step = await client.message()
            assert step.keys() == {"type", "step_idx", "prs", "buffered_pcm"}
            assert (step["type"], len(step["prs"]), step["buffered_pcm"]) == ("Step", 4, 0)


async def test_surplus_audio_waits_and_is_worked_off_frame_by_frame(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        await client.until("Ready")
        await client.say(np.zeros(4 * FRAME + 100, np.float32))
        steps = [await client.message() for _ in range(4 if moshi.kind == "batched" else 5)]
        waiting = [step["buffered_pcm"] for step in steps[-4:]]
        assert waiting == [3 * FRAME + 100, 2 * FRAME + 100, FRAME + 100, 100]


async def test_short_messages_add_up(moshi: Moshi) -> None:
    sound = np.concatenate([tones.speak(SAID, RATE), TAIL])
    async with connected(moshi) as client:
        await client.say(*np.array_split(sound, len(sound) // 480))
        assert text_of(await client.words(4)) == SAID


async def test_words_come_with_times_in_order(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        for _ in range(3):
            await client.say(np.concatenate([tones.speak("alpha", RATE), TAIL]))
        messages = await client.words(3)
        words = [message for message in messages if message["type"] == "Word"]
        starts = [word["start_time"] for word in words]
        assert starts == sorted(starts)
        ends = [message["stop_time"] for message in messages if message["type"] == "EndWord"]
        assert ends == sorted(ends)
        assert ends
        assert all(isinstance(time, float) for time in (*starts, *ends))


async def test_silence_is_a_pause(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        await client.say(np.concatenate([tones.speak(SAID, RATE), np.zeros(FRAME * 14)]))
        steps = 18 if moshi.kind == "batched" else 19
        scores = [(await client.until("Step"))[-1]["prs"] for _ in range(steps)]
        # More than half a second, and more than one, of the four.
        assert scores[-1] == [1.0, 1.0, 0.0, 0.0]
        assert [0.0] * 4 in scores


async def test_init_begins_anew_with_another_ready(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        await client.say(np.concatenate([tones.speak("alpha", RATE), TAIL]))
        await client.words(1)
        await client.send(type="Init")
        await client.until("Ready")
        await client.say(np.concatenate([tones.speak("bravo", RATE), TAIL]))
        assert text_of(await client.words(1)) == "bravo"


async def test_a_marker_comes_back_once_what_was_before_it_is_heard(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        await client.say(tones.speak(SAID, RATE))
        await client.send(type="Marker", id=7)
        await client.say(TAIL)
        messages = await client.until("Marker")
        assert messages[-1] == {"type": "Marker", "id": 7}
        assert text_of(messages) == SAID
        if moshi.kind != "batched":
            # The slot is free; the line lasts until the server finds that out.
            await moshi.until_used(0)
            await client.say(TAIL)
            await client.dropped()


async def test_text_frames_are_ignored(moshi: Moshi) -> None:
    async with connected(moshi) as client:
        await client.until("Ready")
        await client.socket.send_str("hello")
        await client.say(np.zeros(FRAME, np.float32))
        await client.until("Step")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "Sound", "pcm": [0.0]},
        {"type": "Audio", "pcm": bytes(FRAME)},
        {"type": "Audio", "pcm": ["a"]},
        {"type": "Audio"},
        {"type": "Marker", "id": 1.5},
        {"kind": "Audio"},
    ],
    ids=str,
)
async def test_what_makes_no_sense_drops_the_line(moshi: Moshi, message: dict[str, Any]) -> None:
    async with connected(moshi) as client:
        await client.until("Ready")
        await client.send(**message)
        await client.dropped()
    await moshi.until_used(0)


@pytest.mark.parametrize(
    ("query", "key", "status"),
    [
        ("", "wrong", 401),
        ("", None, 401),
        (f"?auth_id={API_KEY}", "wrong", 401),
        ("?auth_id=wrong", None, 401),
        (f"?auth_id={API_KEY}", None, None),
        ("?auth_id=wrong", API_KEY, None),
    ],
)
async def test_the_header_wins_over_the_query(
    moshi: Moshi, query: str, key: str | None, status: int | None
) -> None:
    if status is None:
        async with connected(moshi, query, key) as client:
            await client.until("Ready")
        return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with connected(moshi, query, key):
            pass
    assert refusal.value.status == status


async def test_too_many_are_told_so_after_the_upgrade(moshi: Moshi) -> None:
    async with connected(moshi) as first, connected(moshi) as second:
        for client in (first, second):
            await client.until("Ready")
        async with connected(moshi) as third:
            assert await third.message() == {"type": "Error", "message": "no free channels"}
            assert (await third.frame()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert await moshi.used() == SLOTS
    await moshi.until_used(0)
    async with connected(moshi) as client:
        await client.until("Ready")


async def test_a_recording_is_posted(moshi: Moshi) -> None:
    body = wav(np.concatenate([tones.speak(SAID, RATE), TAIL]))
    assert await posted(moshi, body, key="wrong") == (401, None)
    status, words = await posted(moshi, body)
    assert status == 200
    assert {word["type"] for word in words} <= {"Word", "EndWord"}
    assert text_of(words) == SAID
    assert (await posted(moshi, wav(np.zeros(44 * RATE, np.float32))))[0] == 413


async def posted(moshi: Moshi, body: bytes, key: str = API_KEY) -> tuple[int, Any]:
    headers = {"kyutai-api-key": key}
    async with (
        aiohttp.ClientSession() as session,
        session.post(moshi.address + PATH, data=body, headers=headers) as response,
    ):
        return response.status, await response.json() if response.status == 200 else None


@asynccontextmanager
async def listening(moshi: Moshi, **options: Any) -> AsyncIterator[Hearing]:
    plugin = kyutai.STT(base_url=moshi.address, **options)
    hearing = Hearing(plugin.stream(conn_options=OPTIONS))
    try:
        yield hearing
    finally:
        await hearing.aclose()
        await plugin.aclose()


async def test_a_pause_ends_the_utterance_without_a_flush(moshi: Moshi) -> None:
    async with listening(moshi) as hearing:
        utter(hearing.stream, SAID, flush=False)
        push(hearing.stream, silence(2.5))
        await hearing.finals(1)
        kinds = [event.type for _, event in hearing.events]
    assert hearing.texts() == [SAID]
    assert kinds[0] is stt.SpeechEventType.START_OF_SPEECH
    assert kinds[kinds.index(FINAL) + 1 :] in ([], [stt.SpeechEventType.END_OF_SPEECH])


async def test_a_likely_pause_announces_the_words_and_a_flush_ends_them(moshi: Moshi) -> None:
    async with listening(moshi, preflight_threshold=0.5, end_threshold=None) as hearing:
        utter(hearing.stream, SAID, flush=False)
        push(hearing.stream, silence(2.5))
        await hearing.until(lambda: bool(hearing.texts(PREFLIGHT)), "a preflight", SOON)
        assert hearing.texts() == []
        hearing.stream.flush()
        await hearing.finals(1)
        hearing.stream.end_input()
        await hearing.over()
    assert hearing.texts(PREFLIGHT) == [SAID]
    assert hearing.texts() == [SAID]


async def test_without_thresholds_only_a_flush_ends_the_utterance(moshi: Moshi) -> None:
    async with listening(moshi, preflight_threshold=None, end_threshold=None) as hearing:
        utter(hearing.stream, SAID, flush=False)
        push(hearing.stream, silence(4))
        utter(hearing.stream, SAID)
        hearing.stream.end_input()
        await hearing.over()
    assert hearing.texts() == [f"{SAID} {SAID}"]
    assert not hearing.texts(PREFLIGHT)


async def test_a_muted_microphone_does_not_hold_back_the_last_words(moshi: Moshi) -> None:
    async with listening(moshi) as hearing:
        push(hearing.stream, tones.speak(SAID, 16_000))
        await hearing.until(lambda: SAID in hearing.texts(INTERIM), "the last word", SOON)
        assert not hearing.texts()


async def test_a_long_recording_is_cut_where_it_is_quiet(moshi: Moshi) -> None:
    plugin = kyutai.STT(base_url=moshi.address)
    part = np.concatenate([tones.speak(SAID, 16_000), silence(0.7)])
    recording = np.tile(part, 45)
    event = await plugin.recognize(frames(recording, frame_ms=1000), conn_options=OPTIONS)
    await plugin.aclose()
    data = event.alternatives[0]
    assert data.text.split() == SAID.split() * 45
    times = [float(word.start_time or 0.0) for word in data.words or ()]
    assert times == sorted(times)
    assert data.end_time == pytest.approx(len(recording) / 16_000 - 0.7, abs=0.7)


async def test_a_full_server_is_an_error_that_may_be_retried(moshi: Moshi) -> None:
    async with connected(moshi) as first, connected(moshi) as second:
        for client in (first, second):
            await client.until("Ready")
        async with listening(moshi) as hearing:
            await hearing.over()
    assert isinstance(hearing.error, APIStatusError)
    assert (hearing.error.status_code, hearing.error.retryable) == (503, True)


async def test_two_callers_do_not_hear_each_other(moshi: Moshi) -> None:
    others = tones.sentence(5, start=9)
    async with listening(moshi) as one, listening(moshi) as two:
        for _ in range(3):
            utter(one.stream, SAID)
            utter(two.stream, others)
        for hearing in (one, two):
            hearing.stream.end_input()
            await hearing.over()
    assert one.texts() == [SAID] * 3
    assert two.texts() == [others] * 3
    await moshi.until_used(0)
