"""Kyutai's ear at a moshi-server of each kind: what the kit's rules know nothing of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
from tests.support.moshi.client import SOON
from tests.support.moshi.client_stt import connected
from tests.support.moshi.running_stt import KINDS, Moshi, running

pytestmark = pytest.mark.conformance

SAID = tones.sentence(4)
OPTIONS = APIConnectOptions(max_retry=0, timeout=SOON)


@pytest.fixture(params=KINDS)
async def moshi(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Moshi]:
    async with running(request.param, tmp_path) as server:
        yield server


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
