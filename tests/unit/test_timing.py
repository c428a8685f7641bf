"""When each word is said."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Callable

import numpy as np
import pytest
from livekit.plugins.local.engine.timing.alignment import align, settle, split_words
from livekit.plugins.local.engine.timing.clock import Clock
from livekit.plugins.local.engine.timing.matching import match
from livekit.plugins.local.engine.timing.sounds import effort
from livekit.plugins.local.engine.timing.transcripts import Transcripts
from livekit.plugins.local.engine.tts.audio import voiced
from livekit.plugins.local.engine.tts.base import Phoneme
from numpy.typing import NDArray

pytestmark = pytest.mark.unit

RATE = 24_000
STEP = 0.1


def said(symbols: str) -> list[Phoneme]:
    """Each symbol takes a tenth of a second."""
    return [
        Phoneme(symbol, round(STEP * at, 3), round(STEP * at + STEP, 3))
        for at, symbol in enumerate(symbols)
    ]


def spans(transcripts: list[str], symbols: str) -> list[str]:
    """Return what of the symbols each word was given."""
    times = match(transcripts, said(symbols))
    return [
        symbols[round(start / STEP) : round(end / STEP)]
        for start, end in zip(times[::2], times[1::2], strict=True)
    ]


@pytest.mark.parametrize(
    ("transcripts", "symbols", "expected"),
    [
        # As it is written.
        (["ʃˈʊɹ", "aɪ", "kˈæn"], "ʃˈʊɹ, aɪ kæn.", ["ʃˈʊɹ", "aɪ", "kæn"]),
        # Hibari's signs for diphthongs, and another vowel.
        (["tˈoʊɾəl", "tˈuː"], "tˈOTᵊl tə", ["tˈOTᵊl", "tə"]),
        # Words that the voice runs together.
        (["ˈɔn", "ðə", "kˈɔːɹnɚ"], "ɔnðə kˈɔːɹnɚ", ["ɔn", "ðə", "kˈɔːɹnɚ"]),
        # A number that is read out in other words than it was taken for.
        (
            ["ɪn", "tˈuː θˈaʊzənd twˈɛnti sˈɪks", "æt"],
            "ɪn twˈɛnti twˈɛnti sˈɪks æt",
            ["ɪn", "twˈɛnti twˈɛnti sˈɪks", "æt"],
        ),
        # A sign that nobody says; French nasals.
        (["kaʁˈɑ̃t", "", "puʁ"], "kaʁˈɑ̃t puʁ", ["kaʁˈɑ̃t", "", "puʁ"]),
    ],
)
def test_words_are_found_in_what_was_said(
    transcripts: list[str], symbols: str, expected: list[str]
) -> None:
    assert spans(transcripts, symbols) == expected


@pytest.mark.parametrize(
    ("transcripts", "symbols"), [(["", ""], "abc"), (["abc"], ""), (["abc"], " , .")]
)
def test_nothing_said_is_nothing_told(transcripts: list[str], symbols: str) -> None:
    assert match(transcripts, said(symbols)) == []


def test_times_never_go_back_whatever_was_said() -> None:
    random = np.random.default_rng(3)
    letters = "aeiptkʃ "
    for _ in range(200):
        words = ["".join(random.choice(list(letters[:-1]), 4)) for _ in range(5)]
        times = match(words, said("".join(random.choice(list(letters), 20))))
        assert len(times) in (0, 10)
        assert times == sorted(times)


def sound(*parts: tuple[float, bool]) -> NDArray[np.int16]:
    """A tone where it is loud, for so many seconds each."""
    pieces = [
        np.sin(2 * np.pi * 300 * np.arange(round(RATE * seconds)) / RATE) * 12_000 * loud
        for seconds, loud in parts
    ]
    return np.concatenate(pieces).astype(np.int16)


def test_words_touch_except_where_nothing_is_heard() -> None:
    pcm = sound((0.1, False), (0.4, True), (0.3, False), (0.5, True), (0.2, False))
    times = settle([0.05, 0.65, 0.75, 1.0, 1.05, 1.5], pcm, RATE)
    assert times == pytest.approx([0.1, 0.5, 0.8, 1.0, 1.0, 1.3], abs=0.011)


def test_without_phonemes_pauses_hold_the_words() -> None:
    pcm = sound((0.5, True), (0.3, False), (1.0, True))
    times = align(["one, ", "two ", "three"], [1.0, 1.0, 1.0], pcm, RATE)
    assert times == pytest.approx([0, 0.5, 0.8, 1.3, 1.3, 1.8], abs=0.02)


def test_phonemes_of_trimmed_audio_count_from_its_beginning() -> None:
    pcm = sound((0.5, False), (0.5, True), (0.5, False))
    samples = pcm.astype(np.float32) / np.float32(32768)
    spoken = voiced(samples, RATE, "ab", np.array([22, 10, 10, 18], np.float32))
    assert len(spoken.samples) / RATE == pytest.approx(0.56, abs=0.011)
    # Frames last 25 ms; 490 ms of silence were cut off; the sound comes 55 ms before its frames.
    (a, b) = spoken.phonemes
    assert (a.symbol, b.symbol) == ("a", "b")
    assert (a.start, a.end, b.end) == pytest.approx((0.005, 0.255, 0.505), abs=0.011)


async def chunks(*pcm: bytes, delay: float = 0.0) -> AsyncGenerator[bytes, None]:
    for chunk in pcm:
        yield chunk
        await asyncio.sleep(delay)


async def timed(clock: Clock, clause: str, pcm: bytes, phonemes: list[Phoneme]) -> list[float]:
    parts = [part async for part in clock.timed(clause, chunks(pcm), phonemes)]
    words = [word for part in parts if isinstance(part, list) for word in part]
    assert "".join(word.text for word in words) == clause
    assert [part for part in parts if isinstance(part, bytes)] == [pcm]
    return [word.start for word in words]


async def test_the_clock_goes_by_the_phonemes_and_counts_clauses_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "livekit.plugins.local.engine.timing.transcripts._run_espeak",
        lambda words, language: list(words),
    )
    clock = Clock(RATE, "en")
    pcm = sound((1.0, True)).tobytes()
    assert await timed(clock, "pa tik", pcm, said("pa tikkkkk")) == pytest.approx([0.0, 0.2])
    # Without phonemes they would share the time by their letters.
    assert await timed(clock, "pa tik", pcm, said("pa tik")) == pytest.approx([1.0, 1.2])


def test_a_word_is_transcribed_once_and_as_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def espeak(words: list[str], language: str) -> list[str]:
        asked.append(words)
        return [f"<{word}>" for word in words]

    monkeypatch.setattr("livekit.plugins.local.engine.timing.transcripts._run_espeak", espeak)
    transcripts = Transcripts()
    assert transcripts(["**Yes,**", "$5", "—"], "en") == ["<Yes>", "<5 dollars>", ""]
    assert transcripts.known(["Yes!"], "en")
    assert not transcripts.known(["Yes!"], "fr")
    assert transcripts(["Yes.", "no"], "en") == ["<Yes>", "<no>"]
    assert asked == [["Yes", "5 dollars"], ["no"]]
    # Signs and units that are said because of the number beside them; words that look like some.
    signs = transcripts(["€,", "%", "kg", "n°", "l'eau", "s'il", "10h30"], "fr")
    assert signs == [
        "<euros>", "<%>", "<kilogrammes>", "<numéro>", "<l'eau>", "<s'il>", "<10 heures 30>"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "failure",
    [
        lambda *_, **__: subprocess.CompletedProcess([], 0, b"one line\n", b""),
        lambda *_, **__: (_ for _ in ()).throw(subprocess.TimeoutExpired("espeak-ng", 1)),
    ],
)
def test_without_the_program_words_are_taken_for_their_letters(
    monkeypatch: pytest.MonkeyPatch, failure: Callable[..., object]
) -> None:
    monkeypatch.setattr("subprocess.run", failure)
    monkeypatch.setattr(
        "livekit.plugins.local.engine.timing.transcripts.espeak_path", lambda _: "espeak-ng"
    )
    assert Transcripts()(["Paris", "12"], "en") == ["paris", "əəəəəəəə"]


def test_long_and_stressed_vowels_take_longer() -> None:
    assert effort("a") < effort("ˈa") < effort("ˈaː")
    assert effort("p") < effort("a")
    assert effort("aɪ") < 2 * effort("a")


def test_words_keep_what_follows_them() -> None:
    assert split_words("Hello,  world !") == ["Hello,  ", "world ", "!"]
