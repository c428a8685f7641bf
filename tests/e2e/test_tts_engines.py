import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, Samples, Voiced
from livekit.plugins.local.engine.tts.phonemes import phonemize
from livekit.plugins.local.engine.tts.recovery import Patience
from livekit.plugins.local.engine.tts.registry import build
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.protocol import TTS_SAMPLE_RATE

from tests.support.speech import Transcriber

pytestmark = pytest.mark.e2e

# Those that need nothing but the models.
LOCAL = ("hibari", "kokoro", "espeak")
# These tests are about what each voice says, however slow the machine: no other takes over.
PATIENT = Patience(short=50.0)
EN = "The capital of France is Paris, and it is a beautiful city."
FR = "Bonjour, la capitale de l'Espagne est Madrid, une très belle ville."


@pytest.fixture(scope="module")
def synthesizer(models: Callable[[str], Path]) -> Iterator[Synthesizer]:
    engines = build(LOCAL, EngineContext(models, threads=2))
    voices = {"en": "hibari/heart", "fr": "kokoro/ff_siwis"}
    synthesizer = Synthesizer(engines, voices, patience=PATIENT)

    async def load() -> None:
        await asyncio.gather(*map(synthesizer.load, synthesizer.states))

    asyncio.run(load())
    assert {state.state for state in synthesizer.states.values()} == {"ready"}
    yield synthesizer
    synthesizer.close()


async def say(
    synthesizer: Synthesizer, text: str, voice: str | None, language: str, speed: float = 1.0
) -> np.ndarray:
    audio = synthesizer.synthesize(text, voice=voice, language=language, speed=speed)
    async with aclosing(audio):
        pcm = b"".join([chunk async for chunk in audio])
    return np.frombuffer(pcm, "<i2")


@pytest.mark.parametrize(
    ("voice", "language", "text", "words"),
    [
        ("hibari/heart", "en", EN, {"capital", "france", "paris", "beautiful"}),
        ("kokoro/af_heart", "en", EN, {"capital", "france", "paris", "beautiful"}),
        ("kokoro/bm_george", "en", EN, {"capital", "france", "paris", "beautiful"}),
        ("kokoro/ff_siwis", "fr", FR, {"bonjour", "capitale", "madrid", "belle"}),
        ("espeak/en-us", "en", EN, {"capital", "france", "paris"}),
        ("espeak/fr", "fr", FR, {"bonjour", "capitale", "espagne"}),
    ],
)
async def test_whisper_understands_the_voice(
    synthesizer: Synthesizer,
    transcriber: Transcriber,
    voice: str,
    language: str,
    text: str,
    words: set[str],
) -> None:
    samples = await say(synthesizer, text, voice, language)
    assert 2.0 < len(samples) / TTS_SAMPLE_RATE < 8.0
    heard = transcriber.transcribe(samples, TTS_SAMPLE_RATE, language).lower()
    assert not {word for word in words if word not in heard}, heard


@pytest.mark.parametrize("voice", ["hibari/heart", "kokoro/af_heart", "espeak/en"])
async def test_speed_changes_the_duration(synthesizer: Synthesizer, voice: str) -> None:
    slow = await say(synthesizer, "One two three four five six.", voice, "en", speed=0.8)
    fast = await say(synthesizer, "One two three four five six.", voice, "en", speed=1.5)
    assert 1.3 < len(slow) / len(fast) < 2.6


@pytest.mark.parametrize("voice", ["hibari/heart", "kokoro/af_heart", "espeak/en"])
@pytest.mark.parametrize("text", ["ꓘ", "[[", "xyz" * 9, "½ [[a]] (b) “c” 你好 \ud83d ~1.2.3/4:5"])
async def test_odd_text_neither_fails_nor_hangs(
    synthesizer: Synthesizer, voice: str, text: str
) -> None:
    async with asyncio.timeout(60):
        await say(synthesizer, text, voice, "en")


async def test_text_of_more_than_510_phonemes_is_spoken_to_its_end(
    synthesizer: Synthesizer, transcriber: Transcriber
) -> None:
    text = (
        "We count the sheep, one by one, until the morning comes. " * 10 + "Paris is the last word."
    )
    samples = await say(synthesizer, text, "kokoro/af_heart", "en", speed=1.5)
    tail = samples[-3 * TTS_SAMPLE_RATE :]
    assert "paris" in transcriber.transcribe(tail, TTS_SAMPLE_RATE, "en").lower()


async def test_last_resort_speaks_what_has_no_voice(synthesizer: Synthesizer) -> None:
    assert synthesizer.voices.resolve(None, "de") == ("espeak", "de", "de")
    assert len(await say(synthesizer, "Guten Tag, wie geht es Ihnen?", None, "de")) > 24_000


def test_kokoro_lists_the_voices_whose_language_it_can_spell(
    models: Callable[[str], Path],
) -> None:
    (engine,) = build(["kokoro"], EngineContext(models, threads=2))
    engine.load()
    voices = engine.voices()
    assert len(voices) == 41
    assert voices["af_heart"] == voices["bm_george"] == {"en"}
    assert voices["ff_siwis"] == {"fr"}
    assert frozenset.union(*voices.values()) == {"en", "es", "fr", "hi", "it", "pt"}


class WatchedCancellation(Cancellation):
    """Tells when an engine has begun what can be interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()

    @contextmanager
    def calling(self, callback: Callable[[], None]) -> Iterator[None]:
        with super().calling(callback):
            self.entered.set()
            yield


def test_cancelling_interrupts_the_network_of_kokoro(models: Callable[[str], Path]) -> None:
    (engine,) = build(["kokoro"], EngineContext(models, threads=2))
    engine.load()
    cancel, chunks = WatchedCancellation(), list[Samples | Voiced]()

    def speak() -> None:
        # Some twenty seconds of audio in one run.
        chunks.extend(
            engine.synthesize(
                f"{FR} " * 5, voice="ff_siwis", language="fr", speed=1.0, cancel=cancel
            )
        )

    thread = threading.Thread(target=speak)
    thread.start()
    assert cancel.entered.wait(10.0)
    time.sleep(0.3)  # In the midst of the run, whose length is several seconds.
    began = time.perf_counter()
    cancel.cancel()
    thread.join(20.0)
    assert time.perf_counter() - began < 1.0
    assert chunks == []


def test_cancelling_kills_espeak(models: Callable[[str], Path]) -> None:
    (engine,) = build(["espeak"], EngineContext(models, threads=2))
    engine.load()
    cancel = Cancellation()
    audio = engine.synthesize(f"{FR} " * 40, voice="fr", language="fr", speed=1.0, cancel=cancel)
    next(audio)
    cancel.cancel()
    # Two minutes of speech, of which only what was in the pipe still comes.
    assert sum(map(len, audio)) < 10 * engine.sample_rate


@pytest.mark.parametrize(
    ("dialect", "text", "phonemes"),
    [
        ("en-us", "Sure, I can do that.", "ʃˈʊɹ, aɪ kæn dˈuː ðˈæt."),
        ("en-us", "Dr. Smith paid 3.5 dollars.", "dˈɑːktɚ smˈɪθ pˈeɪd θɹˈiː pɔɪnt fˈaɪv dˈɑːlɚz."),
        ("en-us", 'Well - that\'s "it"!', "wˈɛl — ðˈæts “ˈɪt”!"),
        ("fr-fr", "D'accord, c'est noté.", "dakˈɔʁ, sɛ notˈe."),
        ("fr-fr", "Il dit : « Oui ! »", "il dˈi: “wˈi!”"),
        ("fr-fr", "Bon week-end…", "bˈɔ̃ wˈiːkˈɛnd…"),
        ("es", "¿Cómo estás?", "kˈomo estˈas?"),
    ],
)
def test_phonemes_keep_stress_and_punctuation(dialect: str, text: str, phonemes: str) -> None:
    assert phonemize(text, dialect) == phonemes


def test_phonemes_of_a_long_text_without_punctuation_are_complete() -> None:
    assert phonemize("hello " * 300, "en-us").split() == ["həlˈoʊ"] * 300
