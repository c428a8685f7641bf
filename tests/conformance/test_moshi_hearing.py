"""What a moshi-server's ear does, as the plugin relies on it: each kind has to do the same."""

import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType

from tests.conformance.kit import tones
from tests.support.moshi.auth import API_KEY
from tests.support.moshi.client_stt import connected, text_of
from tests.support.moshi.fake_stt import PATH
from tests.support.moshi.running_stt import DELAY, KINDS, SLOTS, Moshi, running
from tests.support.moshi.stub_stt import FRAME, RATE

pytestmark = pytest.mark.conformance

SAID = tones.sentence(4)
TAIL = np.zeros((DELAY + 4) * FRAME, np.float32)


@pytest.fixture(params=KINDS)
async def moshi(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Moshi]:
    async with running(request.param, tmp_path) as server:
        yield server


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
