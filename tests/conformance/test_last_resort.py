"""The voices of a call whose engine is away, breaks off, and comes back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, tts
from livekit.agents.tts import SynthesizedAudio
from livekit.plugins import local

from agent.call import last_resort
from agent.call.last_resort import LastResort
from tests.support import virtual_time
from tests.support.engine import run_engine

pytestmark = pytest.mark.conformance

DEADLINE = 20.0
OPTIONS = APIConnectOptions(max_retry=0, timeout=5.0)
# The tone is steady at half of full scale; no voice is.
TONE = 0.5


async def speak(voice: tts.TTS[Any], text: str) -> list[SynthesizedAudio]:
    async with asyncio.timeout(DEADLINE), voice.stream(conn_options=OPTIONS) as stream:
        stream.push_text(text)
        stream.end_input()
        return [audio async for audio in stream]


def seconds(audio: list[SynthesizedAudio]) -> float:
    return sum(each.frame.duration for each in audio)


def is_tone(audio: list[SynthesizedAudio]) -> bool:
    samples = [sample for each in audio for sample in each.frame.data]
    loud = sum(abs(sample - TONE * 32767) < 2 for sample in samples)
    return loud > 0.5 * len(samples)


async def available_again(ladder: LastResort) -> None:
    came = asyncio.Event()

    def changed(event: tts.AvailabilityChangedEvent) -> None:
        if event.available:
            came.set()

    ladder.tts.on("tts_availability_changed", changed)
    async with asyncio.timeout(DEADLINE):
        await came.wait()


@pytest.fixture
async def voice(tmp_path: Path) -> AsyncIterator[local.TTS]:
    voice = local.TTS(engine=f"unix:{tmp_path}/engine.sock")
    yield voice
    await voice.aclose()


@pytest.mark.parametrize("language", ["en", "fr", "xx-unknown"])
async def test_espeak_speaks_any_text_or_says_that_it_cannot(language: str) -> None:
    voice = local.EspeakTTS(language=lambda: language)
    async with voice.synthesize("[[Hello]] there.", conn_options=OPTIONS) as stream:
        if language == "xx-unknown":
            with pytest.raises(APIConnectionError, match="made no audio"):
                await anext(stream)
        else:
            assert 0.3 < seconds([audio async for audio in stream]) < 3.0


async def test_without_the_program_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not local.EspeakTTS.installed()
    voice = local.EspeakTTS(language=lambda: "en")
    with pytest.raises(APIConnectionError, match="cannot be run"):
        async with voice.synthesize("Hello.", conn_options=OPTIONS) as stream:
            await anext(stream)


async def test_while_the_engine_is_there_it_speaks(tmp_path: Path, voice: local.TTS) -> None:
    async with run_engine(tmp_path):
        ladder = LastResort(voice)
        audio = await speak(ladder.tts, "one two three four")
        assert is_tone(audio)
        assert seconds(audio) == pytest.approx(0.4)
        await ladder.aclose()


async def test_without_the_engine_the_reply_is_heard_all_the_same(voice: local.TTS) -> None:
    ladder = LastResort(voice)
    audio = await speak(ladder.tts, "Hello there. How are you today?")
    assert 1.0 < seconds(audio) < 6.0
    assert {each.frame.sample_rate for each in audio} == {24_000}
    await ladder.aclose()


async def test_the_reply_after_the_engines_return_is_spoken_by_the_engine(
    tmp_path: Path, voice: local.TTS
) -> None:
    ladder = LastResort(voice, first_delay=0.01)
    assert not is_tone(await speak(ladder.tts, "one two three four"))
    back = asyncio.create_task(available_again(ladder))
    async with run_engine(tmp_path) as engine:
        await back
        # Being asked whether it is there costs the engine a word or two, not a reply.
        assert set(engine.voice.spoken) <= {"1", "one"}
        assert is_tone(await speak(ladder.tts, "one two three four"))
    await ladder.aclose()


def test_an_engine_that_stays_away_is_asked_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []

    async def refuse(_: tts.TTS[Any]) -> None:
        asked.append(asyncio.get_running_loop().time())
        raise APIConnectionError("refused")

    async def main() -> None:
        ladder = LastResort(local.TTS(engine="unix:/nowhere/engine.sock"))
        task = asyncio.create_task(ladder._return())
        await asyncio.sleep(3600)
        task.cancel()
        await asyncio.wait({task})
        await ladder.aclose()

    monkeypatch.setattr(last_resort, "_speak", refuse)
    virtual_time.run(main())
    assert asked[:3] == [0.5, 1.25, 2.375]
    assert 350 < len(asked) < 370


async def test_a_reply_that_breaks_off_is_not_said_again_but_admitted(
    tmp_path: Path, voice: local.TTS
) -> None:
    broken: list[bool] = []
    voice.on("broken_off", lambda: broken.append(True))
    async with run_engine(tmp_path) as engine:
        engine.voice.hang_after_words = 30
        ladder = LastResort(voice)
        text = " ".join(["word"] * 40)
        async with asyncio.timeout(DEADLINE), ladder.tts.stream(conn_options=OPTIONS) as stream:
            stream.push_text(text)
            stream.end_input()
            heard = [await anext(stream)]
            await voice._connection.aclose()
            heard += [audio async for audio in stream]
        assert is_tone(heard)
        assert seconds(heard) < 4.0
        assert broken == [True]
        await ladder.aclose()
