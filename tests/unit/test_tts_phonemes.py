"""What a voice tells of its phonemes reaches whoever captions them, also from the cache."""

from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine.pacing import Playback
from livekit.plugins.local.engine.speaking import speak_clause
from livekit.plugins.local.engine.tts.base import Cancellation, Phoneme, Voiced
from livekit.plugins.local.engine.tts.cache import PhraseCache
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore
from livekit.plugins.local.engine.tts.phrases import prepare
from livekit.plugins.local.engine.tts.recording import Recording
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.protocol import TtsStart

pytestmark = pytest.mark.unit

TEXT = "One two three."


class Voice:
    """Says two chunks of half a second, each with one phoneme."""

    name = "voice"
    sample_rate = 16_000
    version = "1"
    said = 0

    def voices(self) -> dict[str, frozenset[str]]:
        return {"one": frozenset({"en"})}

    def load(self) -> None:
        pass

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Voiced]:
        self.said += 1
        for symbol in "ab":
            yield Voiced(np.full(8000, 0.5, np.float32), [Phoneme(symbol, 0.1, 0.3)])


async def loaded(voice: Voice) -> Synthesizer:
    synthesizer = Synthesizer([voice], {"en": "voice/one"}, cache=PhraseCache(1_000_000))
    await synthesizer.load("voice")
    return synthesizer


async def told(synthesizer: Synthesizer) -> list[tuple[str, float, float]]:
    phonemes: list[Phoneme] = []
    start = TtsStart(language="en", voice=None, speed=1.0)
    async with aclosing(speak_clause(synthesizer, start, TEXT, 1.0, None, phonemes)) as audio:
        async for _ in audio:
            assert phonemes
    return [(each.symbol, round(each.start, 3), round(each.end, 3)) for each in phonemes]


async def test_times_count_from_the_pause_before_the_clause_spoken_or_remembered(
    tmp_path: Path,
) -> None:
    voice = Voice()
    synthesizer = await loaded(voice)
    for _ in range(2):
        assert await told(synthesizer) == [("a", 1.1, 1.3), ("b", 1.6, 1.8)]
    assert voice.said == 1
    synthesizer.close()
    for said in (1, 0):
        voice = Voice()
        synthesizer = await loaded(voice)
        store = PhraseStore(tmp_path)
        await prepare(synthesizer, [TEXT], language="en", speed=1.0, store=store)
        assert await told(synthesizer) == [("a", 1.1, 1.3), ("b", 1.6, 1.8)]
        assert voice.said == said
        synthesizer.close()


async def test_what_is_known_by_heart_takes_no_time() -> None:
    voice = Voice()
    synthesizer = await loaded(voice)
    assert synthesizer.pace(TEXT, voice=None, language="en", speed=1.0) == 0.0
    await told(synthesizer)
    assert synthesizer.pace(TEXT, voice=None, language="en", speed=1.0) == 0.0
    assert synthesizer.pace("Another text.", voice=None, language="en", speed=1.0) > 0.0
    synthesizer.close()


async def test_what_can_be_afforded_depends_on_the_audio_in_hand() -> None:
    playback = Playback()
    assert playback.affords(0.0) == float("inf")
    # The first part of a reply is there within 0.4 s, if it can be cut so short.
    assert playback.affords(0.01) == pytest.approx(30, abs=1)
    playback.play(bytes(2 * 24_000 * 3))
    assert playback.affords(0.0) == float("inf")
    # Ten characters' time goes into the clause's beginning.
    assert playback.affords(0.1) == pytest.approx(20, abs=1)
    assert playback.affords(10.0) < 0


@pytest.mark.parametrize("phonemes", [[], [Phoneme("ʃ", 0.0, 0.25), Phoneme(" ", 0.25, 0.5)]])
def test_a_recording_is_what_was_packed(phonemes: list[Phoneme]) -> None:
    assert Recording.unpack(Recording(b"\x01\x02", phonemes).pack()) == (b"\x01\x02", phonemes)
    assert Recording(b"", phonemes).pack() == b""
