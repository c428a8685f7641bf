"""What ``livekit.plugins.kyutai.STT`` does beyond the contract that the kit checks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit.agents import APIConnectOptions, APIError
from livekit.plugins import kyutai
from livekit.plugins.kyutai import listening

from tests.conformance.kit import tones
from tests.conformance.kit.stt_bench import Hearing, push, utter
from tests.support.moshi.fake import TONES, fake_server
from tests.support.moshi.fake_ears import Ears
from tests.support.moshi.fake_stt import EarClock, SpeechToText
from tests.support.moshi.stub_stt import FRAME, load

pytestmark = pytest.mark.conformance

SOON = 10.0
SAID, MORE = tones.sentence(6), tones.sentence(5, start=9)


@asynccontextmanager
async def moshi(
    *, steps: bool = True, clock: EarClock | None = None
) -> AsyncIterator[tuple[str, SpeechToText]]:
    """Run a fake; yield its address and its ear."""
    ear = SpeechToText(Ears(load(str(TONES)), 4, delay=6, steps=steps), clock)
    async with fake_server(hearing=ear) as fake:
        yield fake.address, ear


@asynccontextmanager
async def hearing(address: str, **options: Any) -> AsyncIterator[Hearing]:
    plugin = kyutai.STT(base_url=address, **options)
    connecting = APIConnectOptions(max_retry=0, timeout=SOON)
    found = Hearing(plugin.stream(conn_options=connecting))
    try:
        yield found
    finally:
        await found.aclose()
        await plugin.aclose()


async def test_no_message_is_shorter_than_a_frame_and_no_marker_is_needed() -> None:
    async with moshi() as (address, ear), hearing(address) as heard:
        utter(heard.stream, SAID, frame_ms=10, pause=0.0)
        utter(heard.stream, MORE, frame_ms=10)
        heard.stream.end_input()
        await heard.over()
    assert heard.texts() == [SAID, MORE]
    assert all(length >= FRAME and not length % FRAME for length in ear.lengths)
    assert not ear.markers


async def test_a_model_without_steps_is_flushed_by_markers_while_others_speak() -> None:
    """The others move the count by which the server returns a marker."""
    async with (
        moshi(steps=False) as (address, ear),
        hearing(address, steps=False) as one,
        hearing(address, steps=False) as two,
    ):
        for start in range(3):
            utter(one.stream, tones.sentence(4, start=4 * start))
            utter(two.stream, tones.sentence(9, start=9 * start))
        for heard in (one, two):
            heard.stream.end_input()
            await heard.over()
    assert one.texts() == [tones.sentence(4, start=4 * start) for start in range(3)]
    assert two.texts() == [tones.sentence(9, start=9 * start) for start in range(3)]
    assert len(ear.markers) >= 6


async def test_a_model_other_than_the_one_named_is_an_error_that_says_so() -> None:
    async with moshi(steps=False) as (address, _), hearing(address) as heard:
        push(heard.stream, tones.speak(SAID, 16_000))
        await heard.over()
    assert isinstance(heard.error, APIError)
    assert "set model" in str(heard.error)
    assert not heard.error.retryable


async def test_a_muted_caller_is_kept_by_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_HESITATION", 0.05)
    monkeypatch.setattr(listening, "_KEEPALIVE", 0.1)
    clock = EarClock(ping=0.2, silent=1.0, no_data=1.0)
    async with moshi(clock=clock) as (address, ear), hearing(address) as heard:
        await heard.never_over(2.0)
        utter(heard.stream, SAID)
        await heard.finals(1)
    assert heard.texts() == [SAID]
    assert min(ear.lengths) == FRAME


async def test_a_model_that_has_run_for_long_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "_RENEWAL", FRAME)
    async with moshi() as (address, _), hearing(address) as heard:
        for text in (SAID, MORE):
            utter(heard.stream, text)
        heard.stream.end_input()
        await heard.over()
    assert heard.texts() == [SAID, MORE]
    first, second = heard.alternatives()
    assert first.end_time <= second.start_time
    assert second.start_time == pytest.approx(1.0, abs=0.2)


async def test_speech_without_an_end_is_transcribed_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "_LONGEST", 2.0)
    said = tones.sentence(60)
    async with moshi() as (address, _), hearing(address) as heard:
        for word in said.split():
            push(heard.stream, tones.speak(word, 16_000))
            await heard.never_over(0.005)
        heard.stream.end_input()
        await heard.over()
    assert " ".join(heard.texts()) == said
    assert len(heard.texts()) > 1


@pytest.mark.parametrize(
    "options",
    [
        {"model": "whisper"},
        {"delay": -1.0},
        {"delay": float("nan")},
        {"preflight_threshold": 1.5},
        {"end_threshold": 0.0},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"delay|threshold"):
        kyutai.STT(**options)


async def test_a_model_of_ones_own_needs_its_delay() -> None:
    plugin = kyutai.STT(model="mine", delay=1.0, steps=False)
    assert (plugin.model, plugin.provider) == ("mine", "kyutai")
    await plugin.aclose()
