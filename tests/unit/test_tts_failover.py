"""Voices that stand in for each other, and phrases that are spoken only once."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine import loading, metrics
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.tts.base import Cancellation, Samples
from livekit.plugins.local.engine.tts.cache import PhraseCache
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore
from livekit.plugins.local.engine.tts.phrases import prepare
from livekit.plugins.local.engine.tts.recovery import Patience
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.engine.tts.voices import VoiceBook
from livekit.plugins.local.errors import EngineError

pytestmark = pytest.mark.unit

DEADLINE = 5.0
# A stall costs the tests this much, and no engine here is slower when it works.
PATIENCE = Patience(short=0.25, last=4.0)


class Voice:
    """Says each word as one sample value of its own, or what `fault` says.

    Attributes:
        fault: ``raise``, ``stall`` or ``mute``, from the word `after` on.
    """

    sample_rate = 24_000
    version = "1"

    def __init__(self, name: str, level: float) -> None:
        self.name = name
        self.level = level
        self.fault = ""
        self.after = 0
        self.said: list[str] = []
        self.stopped = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def voices(self) -> dict[str, frozenset[str]]:
        return {"en": frozenset({"en"})}

    def load(self) -> None:
        pass

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        self.said.append(text)
        for at, _ in enumerate(text.split()):
            if self.fault and at >= self.after:
                if self.fault == "raise":
                    raise EngineError("failed", f"{self.name} broke.", retryable=True)
                if self.fault == "stall":
                    with cancel.calling(self.stopped.set):
                        assert self.stopped.wait(DEADLINE)
                return
            yield np.full(240, self.level, np.float32)
            assert self.go_on.wait(DEADLINE)
            if cancel.cancelled:
                return

    def pcm(self, words: int) -> bytes:
        return np.full(240 * words, round(self.level * 32767), "<i2").tobytes()


class Cast:
    """A chosen voice, another one and the last resort."""

    def __init__(self, cache: PhraseCache | None = None) -> None:
        self.chosen = Voice("chosen", 0.1)
        self.other = Voice("other", 0.2)
        self.espeak = Voice("espeak", 0.3)
        engines = [self.espeak, self.chosen, self.other]
        self.synthesizer = Synthesizer(engines, {"en": "chosen/en"}, cache=cache, patience=PATIENCE)

    async def say(self, text: str, speed: float = 1.0) -> bytes:
        audio = self.synthesizer.synthesize(text, voice=None, language="en", speed=speed)
        async with asyncio.timeout(DEADLINE), aclosing(audio):
            return b"".join([chunk async for chunk in audio])


async def loaded(cache: PhraseCache | None = None) -> Cast:
    cast = Cast(cache)
    await asyncio.gather(*map(cast.synthesizer.load, cast.synthesizer.states))
    return cast


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("fault", ["raise", "stall", "mute"])
async def test_a_clause_that_delivered_nothing_is_spoken_by_the_next_voice(fault: str) -> None:
    cast = await loaded()
    cast.chosen.fault = fault
    assert await cast.say("one two") == cast.other.pcm(2)
    cast.other.fault = fault
    assert await cast.say("one two") == cast.espeak.pcm(2)
    cast.synthesizer.close()


@pytest.mark.parametrize("fault", ["raise", "stall"])
async def test_a_clause_that_broke_off_is_not_said_again_and_the_next_one_follows(
    fault: str,
) -> None:
    cast = await loaded()
    cast.chosen.fault, cast.chosen.after = fault, 1
    assert await cast.say("one two three") == cast.chosen.pcm(1)
    assert not cast.other.said
    cast.chosen.fault = ""
    assert await cast.say("four five") == cast.chosen.pcm(2)
    cast.synthesizer.close()


async def test_when_nobody_can_speak_the_chosen_voice_says_why() -> None:
    cast = await loaded()
    for voice in (cast.chosen, cast.other, cast.espeak):
        voice.fault = "raise"
    with pytest.raises(EngineError, match="chosen broke"):
        await cast.say("one two")
    cast.synthesizer.close()


async def test_a_voice_that_fails_again_and_again_is_not_even_asked() -> None:
    cast = await loaded()
    cast.chosen.fault = "raise"
    for _ in range(5):
        assert await cast.say("one") == cast.other.pcm(1)
    assert len(cast.chosen.said) == 3
    cast.synthesizer.close()


async def test_until_the_chosen_voice_is_loaded_another_speaks() -> None:
    cast = Cast()
    await cast.synthesizer.load("espeak")
    assert await cast.say("one") == cast.espeak.pcm(1)
    cast.synthesizer.close()


def test_who_stands_in() -> None:
    en, fr = frozenset({"en"}), frozenset({"fr"})
    book = VoiceBook({"en": "hibari/heart", "fr": "kokoro/ff_siwis"}, ["hibari", "kokoro"])
    book.add("espeak", {"en-gb": en, "en": en, "fr": fr})
    book.add("hibari", {"heart": en})
    book.add("kokoro", {"af_alloy": en, "af_heart": en, "ff_siwis": fr})
    english = book.resolve(None, "en")
    assert book.stand_ins(english) == [("kokoro", "af_heart", "en"), ("espeak", "en", "en")]
    french = book.resolve(None, "fr")
    assert book.stand_ins(french) == [("espeak", "fr", "fr")]
    # A voice that was asked for is stood in for by the language's own first.
    assert book.stand_ins(book.resolve("kokoro/af_alloy", "en"))[0] == ("hibari", "heart", "en")


async def test_what_was_said_once_is_not_spoken_again() -> None:
    cast = await loaded(PhraseCache(100_000))
    assert await cast.say("one two") == cast.chosen.pcm(2)
    assert await cast.say(" one  two ") == cast.chosen.pcm(2)
    assert cast.chosen.said == ["one two"]
    await cast.say("one two", speed=1.5)
    assert len(cast.chosen.said) == 2
    cast.synthesizer.close()


async def test_what_was_said_once_is_heard_while_its_engine_is_broken() -> None:
    cast = await loaded(PhraseCache(100_000))
    await cast.say("one two")
    cast.chosen.fault = "raise"
    for _ in range(3):
        await cast.say("three")
    assert await cast.say("one two") == cast.chosen.pcm(2)
    cast.synthesizer.close()


async def test_calls_that_need_the_same_clause_share_it() -> None:
    cast = await loaded(PhraseCache(100_000))
    cast.chosen.go_on.clear()
    calls = [asyncio.create_task(cast.say("one two three")) for _ in range(3)]
    await eventually(lambda: bool(cast.chosen.said))
    calls[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[0]
    cast.chosen.go_on.set()
    assert await asyncio.gather(*calls[1:]) == [cast.chosen.pcm(3)] * 2
    assert cast.chosen.said == ["one two three"]
    cast.synthesizer.close()


async def test_what_was_interrupted_is_not_remembered() -> None:
    cache = PhraseCache(100_000)
    cast = await loaded(cache)
    cast.chosen.go_on.clear()
    audio = cast.synthesizer.synthesize("one two three", voice=None, language="en")
    assert await anext(audio) == cast.chosen.pcm(1)
    await audio.aclose()
    cast.chosen.go_on.set()
    assert cache.size == 0
    assert await cast.say("one two three") == cast.chosen.pcm(3)
    cast.synthesizer.close()


@pytest.mark.parametrize("after", [0, 1])
async def test_what_failed_is_not_remembered(after: int) -> None:
    cast = await loaded(PhraseCache(100_000))
    cast.chosen.fault, cast.chosen.after = "raise", after
    await cast.say("one two")
    cast.chosen.fault = ""
    assert await cast.say("one two") == cast.chosen.pcm(2)
    cast.synthesizer.close()


async def test_declared_phrases_are_there_before_they_are_needed_and_after_a_restart(
    tmp_path: Path,
) -> None:
    store = PhraseStore(tmp_path)
    texts = ["Hello there my friend! How are you today?"]
    for spoken in (["Hello there my friend!", "How are you today?"], []):
        cast = await loaded(PhraseCache(1_000_000))
        await prepare(cast.synthesizer, texts, language="en", speed=1.0, store=store)
        assert cast.chosen.said == spoken
        assert await cast.say("How are you today?") == cast.chosen.pcm(4)
        assert cast.chosen.said == spoken
        cast.synthesizer.close()
    assert len(list(tmp_path.iterdir())) == 2


async def test_nothing_of_a_conversation_is_on_disk(tmp_path: Path) -> None:
    cast = await loaded(PhraseCache(1_000_000))
    store = PhraseStore(tmp_path)
    await prepare(cast.synthesizer, ["Hello there my friend!"], language="en", speed=1, store=store)
    before = list(tmp_path.iterdir())
    await cast.say("Your card number is on file.")
    assert list(tmp_path.iterdir()) == before
    cast.synthesizer.close()


async def test_phrases_that_cannot_be_spoken_now_are_left_out(tmp_path: Path) -> None:
    cast = await loaded(PhraseCache(1_000_000))
    cast.chosen.fault = "raise"
    store = PhraseStore(tmp_path)
    await prepare(cast.synthesizer, ["One two three four."], language="en", speed=1, store=store)
    assert not list(tmp_path.iterdir())
    assert await cast.say("One two three four.") == cast.other.pcm(4)
    cast.synthesizer.close()


async def test_a_broken_voice_shows_on_readyz_and_in_the_metrics(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hibari, espeak = Voice("hibari", 0.1), Voice("espeak", 0.3)
    monkeypatch.setattr(loading, "build", lambda *_: [hibari, espeak])
    config = EngineConfig("unix:/nowhere", tmp_path, voices={"en": "hibari/en"})
    with ThreadPoolExecutor(1) as threads:
        speech = loading.Speech(config, threads)
        await asyncio.gather(*map(speech.synthesizer.load, ("hibari", "espeak")))
        hibari.fault = "raise"
        for text in ("one", "two", "three"):
            audio = speech.synthesizer.synthesize(text, voice=None, language="en")
            assert b"".join([pcm async for pcm in audio]) == espeak.pcm(1)
        part = speech.readiness["tts:hibari"]
        assert part.state == "failed"
        assert part.message == "The voice engine hibari does not work; others speak until it does."
        breaker = {"engine": "hibari"}
        assert metrics.REGISTRY.get_sample_value("eloquence_engine_voice_breaker", breaker) == 2
        await speech.aclose()
