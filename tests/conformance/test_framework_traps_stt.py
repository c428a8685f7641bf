"""What the framework does with ears that a plugin must know; these fail when it changes.

Each says which code of ours relies on what it pins.
"""

import asyncio
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError, APIConnectOptions, stt

from tests.conformance.kit import deadlines
from tests.conformance.kit.scripted import ScriptedHearing, ScriptedSTT, ScriptedTTS
from tests.conformance.kit.session import Conversation, conversation
from tests.conformance.kit.session_llm import ScriptedLLM
from tests.conformance.kit.vad import LoudnessVAD

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0)


def talk(ear: ScriptedSTT, **arguments: Any) -> Any:
    return conversation(ear, ScriptedTTS(), ScriptedLLM(), options=ONCE, **arguments)


async def test_an_ear_that_breaks_is_never_asked_again_and_the_call_goes_on() -> None:
    """`session.guard_against_failures` ends such a call; `client.api_errors` prevents it."""

    async def breaks(_: ScriptedHearing) -> None:
        raise RuntimeError("out of memory")

    ear = ScriptedSTT(breaks)
    call: Conversation
    async with talk(ear) as call:
        await call.until(lambda: bool(call.errors), "the error")
        call.microphone.say("alpha bravo")
        await call.until(lambda: call.session.user_state == "speaking", "speech")
        assert not call.closed
        assert [error.error.recoverable for error in call.errors] == [False]
        assert len(ear.streams) == 1


async def test_an_ear_that_fails_by_the_rules_is_asked_again_and_ends_the_call() -> None:
    """`session._MAX_ERRORS` sets how many times in a row."""

    async def fails(_: ScriptedHearing) -> None:
        raise APIConnectionError("lost")

    ear = ScriptedSTT(fails)
    call: Conversation
    async with talk(ear, max_errors=1) as call:
        await call.until(lambda: bool(call.closed), "the end")
        assert call.closed and call.closed.reason == "error"
        assert len(ear.streams) == 2


@pytest.mark.parametrize("manual_flush", [True, False])
async def test_only_an_ear_that_takes_flushes_hears_of_the_end_of_speech(
    manual_flush: bool,
) -> None:
    """`stt.STT` declares ``manual_flush``; the engine decodes when it comes."""
    flushed = asyncio.Event()

    async def listens(stream: ScriptedHearing) -> None:
        async for item in stream._input_ch:
            if isinstance(item, stream._FlushSentinel):
                flushed.set()

    call: Conversation
    async with talk(ScriptedSTT(listens, manual_flush=manual_flush)) as call:
        call.microphone.say("alpha bravo")
        await call.until(lambda: call.session.user_state == "speaking", "speech")
        await call.until(lambda: call.session.user_state == "listening", "silence")
        if manual_flush:
            async with asyncio.timeout(deadlines.PATIENCE):
                await flushed.wait()
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(flushed.wait(), 0.2)


async def test_the_end_of_a_session_is_one_more_flush() -> None:
    """`stt.SpeechStream` ignores a flush without new audio; rule ``stt_flush_without_audio``."""
    heard: list[str] = []
    flushes: list[str] = []

    async def listens(stream: ScriptedHearing) -> None:
        async for item in stream._input_ch:
            if isinstance(item, stream._FlushSentinel):
                flushes.append("flush")
                if not heard:
                    heard.append("alpha")
                    stream.hear("alpha")

    call: Conversation
    async with talk(ScriptedSTT(listens)) as call:
        call.microphone.say("alpha bravo")
        await call.until(lambda: bool(call.heard), "a final")
        before = len(flushes)
    assert len(flushes) > before


async def test_a_stereo_frame_is_resampled_as_if_it_were_mono() -> None:
    """`stt.SpeechStream.push_frame` mixes down first; rule ``stt_stereo``."""
    lengths: list[float] = []

    async def listens(stream: ScriptedHearing) -> None:
        async for item in stream._input_ch:
            if isinstance(item, rtc.AudioFrame):
                lengths.append(item.duration)

    class Resampled(ScriptedHearing):
        def __init__(self, ear: ScriptedSTT) -> None:
            super().__init__(stt=ear, conn_options=ONCE, sample_rate=16_000)

    stream = Resampled(ScriptedSTT(listens))
    stream.push_frame(rtc.AudioFrame(bytes(4 * 48_000), 48_000, 2, 48_000))
    stream.end_input()
    assert [event async for event in stream] == []
    assert sum(lengths) == pytest.approx(2.0, abs=0.1)
    await stream.aclose()


async def test_audio_is_not_sent_again_and_time_goes_on_when_an_ear_is_asked_again() -> None:
    """`replay.UnansweredAudio` keeps it; `stt.SpeechStream._run` counts its time back."""
    heard: list[int] = []
    offsets: list[float] = []

    async def listens(stream: ScriptedHearing) -> None:
        offsets.append(stream.start_time_offset)
        async for item in stream._input_ch:
            if isinstance(item, rtc.AudioFrame):
                heard.append(item.samples_per_channel)
                if len(heard) == 1:
                    raise APIConnectionError("lost")

    stream = ScriptedSTT(listens).stream(conn_options=APIConnectOptions(max_retry=1))
    for samples in (100, 200):
        stream.push_frame(rtc.AudioFrame(bytes(2 * samples), 16_000, 1, samples))
    stream.end_input()
    assert [event async for event in stream] == []
    assert heard == [100, 200]
    # The pause before the first retry.
    assert offsets[0] < 0.1 <= offsets[1]
    await stream.aclose()


async def test_a_final_transcript_gives_an_ear_its_retries_back() -> None:
    """`session._STT_OPTIONS` counts on it: each outage gets all of its retries."""
    attempts: list[int] = []

    async def listens(stream: ScriptedHearing) -> None:
        attempts.append(len(attempts))
        if len(attempts) < 4:
            stream.hear("alpha")
            while stream._num_retries:
                await asyncio.sleep(0)
            raise APIConnectionError("lost")

    options = APIConnectOptions(max_retry=1, retry_interval=0.0)
    stream = ScriptedSTT(listens).stream(conn_options=options)
    assert len([event async for event in stream]) == 3
    assert len(attempts) == 4
    await stream.aclose()


async def test_an_adapted_ear_takes_no_flush_and_shows_no_interims() -> None:
    """`plugins.PLUGINS` says what the OpenAI ear lacks; ours streams by itself."""
    adapted = stt.StreamAdapter(stt=ScriptedSTT(ScriptedHearing.read), vad=LoudnessVAD())
    assert adapted.capabilities.streaming
    assert not adapted.capabilities.interim_results
    assert not adapted.capabilities.manual_flush
    flushing, not_flushing = (
        ScriptedSTT(ScriptedHearing.read, manual_flush=flush) for flush in (True, False)
    )
    assert stt.FallbackAdapter([flushing, flushing]).capabilities.manual_flush
    assert not stt.FallbackAdapter([flushing, not_flushing]).capabilities.manual_flush
