"""The scripted caller against a real server and an agent whose every move the test knows.

The agent lives in the test's process, so that both sides share one clock: what the caller reports
can be held against when things really happened.
"""

import asyncio
import json
import os
import secrets
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.caller.access import SigningKey
from agent.caller.call import CallFailed, CallOptions, place_call
from agent.caller.tape import write_wav
from agent.errors import UserError
from tests.support.livekit import RunningLiveKit
from tests.support.ports import free_port
from tests.support.tone_agent import ANSWER_HZ, DELAY, RATE, TONE, sound, tone_agent

pytestmark = [pytest.mark.e2e, pytest.mark.waits]

# The way through Opus, the server and a jitter buffer, in one direction, on a busy machine.
LONGEST_TRANSPORT = 0.4


def strongest_hz(pcm: NDArray[np.int16]) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(pcm))) * RATE / len(pcm))


def save_speech(path: Path, seconds: float) -> Path:
    silence = np.zeros(RATE // 5, np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate([silence, sound(220, seconds), silence]).tobytes())
    return path


@pytest.fixture
def room() -> str:
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def access(livekit: RunningLiveKit, room: str) -> SigningKey:
    return SigningKey(livekit.url, livekit.api_key, livekit.api_secret, agent_name=None, room=room)


async def test_reports_when_things_really_happened(
    livekit: RunningLiveKit, access: SigningKey, room: str, tmp_path: Path
) -> None:
    wavs = [save_speech(tmp_path / f"{index}.wav", 0.6 + index / 5) for index in range(3)]
    async with tone_agent(livekit, room, [TONE] * 3) as agent:
        report = await place_call(CallOptions(wavs=wavs, access=access))

    assert report.error is None
    assert report.room == room
    assert report.greeting is not None
    assert report.greeting.transcript == "Hello."
    assert len(report.turns) == 3
    for index, turn in enumerate(report.turns):
        assert turn.agent_start is not None
        assert turn.agent_end is not None
        assert turn.latency_ms is not None
        # The caller's own side is exact to a frame or so; a busy machine may hold it up.
        assert -0.03 < turn.user_end - turn.user_start - (0.6 + index / 5) < 0.2
        assert turn.latency_ms == pytest.approx((turn.agent_start - turn.user_end) * 1000)
        # Sound needs time from side to side, but not much, and never less than none.
        uplink = agent.heard_end[index] - (report.origin + turn.user_end)
        downlink = report.origin + turn.agent_start - agent.played[index]
        assert 0.0 < uplink < LONGEST_TRANSPORT
        assert 0.0 < downlink < LONGEST_TRANSPORT
        # What is left is the agent's delay.
        waited = agent.played[index] - agent.heard_end[index]
        assert turn.latency_ms / 1000 == pytest.approx(uplink + waited + downlink, abs=0.001)
        assert -0.01 < waited - DELAY < 0.2

        assert turn.agent_end - turn.agent_start == pytest.approx(TONE, abs=0.1)
        assert strongest_hz(turn.answer_audio) == pytest.approx(ANSWER_HZ, abs=10)
        assert turn.user_transcript == "What is this?"
        assert turn.agent_transcript == "It is a tone."
        assert turn.talk_over_ms == 0
        assert turn.barge_in_stop_ms is None
    assert report.latency.count == 3


async def test_records_both_sides_where_they_were(
    livekit: RunningLiveKit, access: SigningKey, room: str, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.6)
    async with tone_agent(livekit, room, [TONE]):
        report = await place_call(CallOptions(wavs=[wav], access=access))
    path = tmp_path / "both.wav"
    write_wav(path, report.caller, report.agent)

    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 2)
        both = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    turn = report.turns[0]
    assert turn.agent_start is not None
    origin = min(report.caller.origin, report.agent.origin) - report.origin

    def part(channel: int, start: float) -> NDArray[np.int16]:
        at = round((start - origin) * RATE)
        return both[at : at + RATE * 2 // 5, channel]

    assert strongest_hz(part(0, turn.user_start)) == pytest.approx(220, abs=10)
    assert strongest_hz(part(1, turn.agent_start)) == pytest.approx(ANSWER_HZ, abs=10)
    assert np.abs(part(1, turn.user_start)).max() < 500
    assert np.abs(part(0, turn.agent_start)).max() == 0


async def test_measures_how_fast_a_barge_in_stops_the_agent(
    livekit: RunningLiveKit, access: SigningKey, room: str, tmp_path: Path
) -> None:
    wavs = [save_speech(tmp_path / f"{index}.wav", 1.0) for index in range(2)]
    async with tone_agent(livekit, room, [20.0, TONE]) as agent:
        report = await place_call(CallOptions(wavs=wavs, access=access, barge_in=1.0))

    first, second = report.turns
    assert first.agent_start is not None
    assert first.agent_end is not None
    assert second.latency_ms is not None
    # The WAV, whose speech begins 0.2 s in, starts 1 s into the answer; the queue holds 0.1 s.
    assert second.user_start - first.agent_start == pytest.approx(1.3, abs=0.15)
    assert second.barge_in_stop_ms == pytest.approx((first.agent_end - second.user_start) * 1000)
    lag = report.origin + first.agent_end - agent.stopped[0]
    assert -0.05 < lag < LONGEST_TRANSPORT
    assert second.talk_over_ms == pytest.approx(second.barge_in_stop_ms, abs=50)
    assert second.agent_end is not None
    assert second.agent_start is not None
    assert second.agent_start > second.user_end
    assert second.agent_end - second.agent_start == pytest.approx(TONE, abs=0.1)
    assert first.barge_in_stop_ms is None


async def test_a_turn_without_an_answer_fails_and_keeps_what_there_was(
    livekit: RunningLiveKit, access: SigningKey, room: str, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    async with tone_agent(livekit, room, [TONE, 0.0]):
        with pytest.raises(CallFailed, match=r"^Turn 2 got no answer within 1\.5 s") as failure:
            await place_call(CallOptions(wavs=[wav, wav], access=access, answer_timeout=1.5))

    report = failure.value.report
    assert report.error == str(failure.value)
    assert [turn.latency_ms is None for turn in report.turns] == [False, True]
    assert report.turns[1].user_transcript == "What is this?"
    assert report.latency.count == 1


async def test_no_agent_is_reported_as_such(
    livekit: RunningLiveKit, access: SigningKey, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    with pytest.raises(CallFailed, match=r"^No agent joined the call within 1 s.*AGENT_NAME"):
        await place_call(CallOptions(wavs=[wav], access=access, greeting_timeout=1.0))


async def test_an_agent_that_leaves_ends_the_call(
    livekit: RunningLiveKit, access: SigningKey, room: str, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    async with tone_agent(livekit, room, [20.0]) as agent:
        call = asyncio.create_task(place_call(CallOptions(wavs=[wav], access=access)))
        async with asyncio.timeout(20):
            await agent.answering.wait()
    with pytest.raises(CallFailed, match=r"^The agent left the call"):
        await call


async def test_a_cancelled_call_leaves_the_room(
    livekit: RunningLiveKit, access: SigningKey, room: str, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    async with tone_agent(livekit, room, [20.0]) as agent:
        left = asyncio.Event()
        agent.room.on("participant_disconnected", lambda: left.set())
        call = asyncio.create_task(place_call(CallOptions(wavs=[wav], access=access)))
        async with asyncio.timeout(20):
            await agent.answering.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await left.wait()


@pytest.mark.parametrize("named", [True, False], ids=["named-room", "fresh-room"])
async def test_a_wrong_key_names_the_settings(
    livekit: RunningLiveKit, room: str, tmp_path: Path, named: bool
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    wrong = SigningKey(
        livekit.url,
        livekit.api_key,
        "wrong" * 8,
        agent_name=None,
        room=room if named else None,
    )
    with pytest.raises(UserError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET") as failure:
        await place_call(CallOptions(wavs=[wav], access=wrong))
    assert "eyJ" not in str(failure.value)


@pytest.mark.parametrize("named", [True, False], ids=["named-room", "fresh-room"])
async def test_a_dead_server_names_the_setting(tmp_path: Path, named: bool) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    url = f"ws://127.0.0.1:{free_port()}"
    dead = SigningKey(url, "key", "s" * 32, agent_name=None, room="a" if named else None)
    with pytest.raises(UserError, match=f"No LiveKit server answers at {url}.*LIVEKIT_URL"):
        await place_call(CallOptions(wavs=[wav], access=dead))


async def eloquence_call(
    livekit: RunningLiveKit, folder: Path, *arguments: str
) -> tuple[int, str, str]:
    """Run the command as a person would; return its status, standard output and error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "call", *arguments),
        cwd=folder,
        env={
            **os.environ,
            "LIVEKIT_URL": livekit.url,
            "LIVEKIT_API_KEY": livekit.api_key,
            "LIVEKIT_API_SECRET": livekit.api_secret,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output.decode(), errors.decode()


async def test_the_command_prints_and_writes_what_it_measured(
    livekit: RunningLiveKit, room: str, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.6)
    async with tone_agent(livekit, room, [TONE]):
        status, output, errors = await eloquence_call(
            livekit,
            tmp_path,
            *("--wav", str(wav), "--room", room, "--record", "out.wav", "--json", "out.json"),
        )
    assert status == 0, errors
    report = json.loads((tmp_path / "out.json").read_text())
    [turn] = report["turns"]
    assert turn["latency_ms"] > DELAY * 1000
    assert f"turn 1: latency {turn['latency_ms']:.0f} ms" in output
    assert "  caller: What is this?\n  agent:  It is a tone.\n" in output
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        heard = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert strongest_hz(heard[-RATE * 3 :]) == pytest.approx(ANSWER_HZ, abs=10)


async def test_the_command_fails_with_one_sentence_and_leaks_no_token(
    livekit: RunningLiveKit, tmp_path: Path
) -> None:
    wav = save_speech(tmp_path / "q.wav", 0.5)
    stranger = replace(livekit, api_secret="wrong" * 8)
    status, output, errors = await eloquence_call(
        stranger, tmp_path, "--wav", str(wav), "--room", "a"
    )
    assert status == 1
    assert output == ""
    assert errors.count("\n") == 1
    assert "LIVEKIT_API_KEY and LIVEKIT_API_SECRET" in errors
    assert "eyJ" not in errors
