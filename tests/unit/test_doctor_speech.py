"""Voice and ears of a real engine server, with a deterministic voice and ear."""

import asyncio
from pathlib import Path

import pytest
from livekit.plugins.local.errors import EngineError

from agent.doctor import speech
from agent.doctor.parts import part
from tests.support.doctor import settings
from tests.support.engine import run_engine

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "heard", "share"),
    [
        ("The big horse is in the city.", "the big horse is in the city", 1.0),
        ("The big horse is in the city.", "The pig house is in the city.", 5 / 7),
        ("The big horse is in the city.", "", 0.0),
    ],
)
def test_words_are_compared(said: str, heard: str, share: float) -> None:
    assert speech.understood(said, heard, "en") == pytest.approx(share)


@pytest.mark.parametrize("language", ["en", "fr", "de"])
def test_hardly_ever_the_same_sentence(language: str) -> None:
    assert len({speech.pick_sentence(language) for _ in range(50)}) > 30


async def test_what_is_said_is_heard_and_measured(tmp_path: Path) -> None:
    async with run_engine(tmp_path) as engine:
        finding = await speech.round_trip(settings(engine_url=engine.address))
        assert engine.voice.spoken
    # The voice says tones, which are no words.
    assert finding.level == "warn"
    assert "of the words were understood" in finding.found
    assert set(finding.figures) == {"decode_seconds", "voice_first_seconds", "voice_rtf"}


async def test_words_that_were_understood_are_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "pick_sentence", lambda _: "0.7 0.7 0.7 0.7 0.7 0.7 0.7")
    monkeypatch.setattr(speech, "understood", lambda *_: 1.0)
    async with run_engine(tmp_path) as engine:
        finding = await speech.round_trip(settings(engine_url=engine.address))
    assert finding.level == "ok"


async def test_a_voice_that_fails_is_told_in_its_words(tmp_path: Path) -> None:
    async with run_engine(tmp_path) as engine:
        engine.voice.error = EngineError("failed", "The voice is hoarse; let it rest.")
        finding = await speech.round_trip(settings(engine_url=engine.address))
    assert finding.level == "fail"


async def test_a_voice_that_hangs_ends_with_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "_ANSWER", 0.5)
    async with run_engine(tmp_path) as engine:
        engine.voice.hang = True
        finding = await asyncio.wait_for(speech.round_trip(settings(engine_url=engine.address)), 10)
    assert finding.level == "fail"
    assert "sent nothing for 0.5 s" in finding.found


async def test_an_engine_that_is_not_there_is_told(tmp_path: Path) -> None:
    gone = settings(engine_url=f"unix:{tmp_path}/engine.sock")
    examine = await part("engine").loaded()
    assert (await examine(gone)).found == "the engine process is not running"
    finding = await speech.round_trip(gone)
    assert finding.level == "fail"
    assert "cannot be reached" in finding.found
