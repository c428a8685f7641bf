"""Whatever a language model writes: sensible speech or a clear error, no hang, no dead engine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.agents import APIConnectOptions, APIStatusError
from livekit.plugins import local

from tests.support.engine import TestEngine, run_engine

pytestmark = pytest.mark.conformance

ONCE = APIConnectOptions(max_retry=0, timeout=5)
DEADLINE = 30.0
MIXED = "Bonjour, my friend, il fait beau today."


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[TestEngine]:
    async with run_engine(tmp_path) as engine:
        yield engine


async def speak(engine: TestEngine, text: str, **options: str) -> float:
    """Return the seconds of audio that came."""
    plugin = local.TTS(engine=engine.address, **options)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(DEADLINE), plugin.stream(conn_options=ONCE) as stream:
            stream.push_text(text)
            stream.end_input()
            return sum([event.frame.duration async for event in stream])
    finally:
        await plugin.aclose()


async def still_speaks(engine: TestEngine) -> None:
    engine.voice.spoken.clear()
    assert await speak(engine, "Hello again, my friend.") > 0
    assert " ".join(engine.voice.spoken) == "Hello again, my friend."


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("\x00\x07\x1b\x7f\u200b\ufeff", ""),
        ("Hello\x00 there,\x07 my\x1b friend.", "Hello there, my friend."),
        ("<speak>Hello <break time='1s'/> there.</speak>", "Hello there."),
        ("<prosody rate='x-slow'>Hello there.", "Hello there."),
        ("<speak", "<speak"),
        (MIXED, MIXED),
        ("\ud83d Hello there.", "Hello there."),
    ],
)
async def test_odd_text_is_spoken_without_what_cannot_be(
    engine: TestEngine, text: str, spoken: str
) -> None:
    await speak(engine, text)
    assert " ".join(engine.voice.spoken) == spoken
    await still_speaks(engine)


@pytest.mark.parametrize("piece", ["x", "=", "sentence after sentence. ", "<b>", "\x00"])
async def test_100_000_characters_are_taken(
    engine: TestEngine, monkeypatch: pytest.MonkeyPatch, piece: str
) -> None:
    monkeypatch.setattr("tests.support.engine.SECONDS_PER_WORD", 0.001)
    await speak(engine, piece * (100_000 // len(piece)))
    await still_speaks(engine)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voice": "tone/nobody"}, "no voice tone/nobody.*tone/a"),
        ({"voice": "nobody"}, "nobody"),
        ({"voice": "tone/a", "language": "ja"}, "tone/a does not speak 'ja'"),
        ({"voice": "\x00" * 1000}, "voice"),
    ],
)
async def test_a_voice_or_language_that_is_not_there_is_refused_with_those_that_are(
    engine: TestEngine, options: dict[str, str], message: str
) -> None:
    with pytest.raises(APIStatusError, match=message) as failure:
        await speak(engine, "Hello.", **options)
    assert not failure.value.retryable
    await still_speaks(engine)
