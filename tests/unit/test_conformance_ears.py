"""How the kit makes words of the vocabulary from what Whisper writes."""

from pathlib import Path

import numpy as np
import pytest

from tests.conformance.kit.ears import UNKNOWN, WhisperEar, cut, repaired, spelled
from tests.conformance.kit.tones import WORDS, Samples

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "word"),
    [("juliet", "juliett"), ("foxtrott", "foxtrot"), ("whisky", "whiskey"), ("hotel", "hotel")],
)
def test_another_spelling_is_the_same_word(written: str, word: str) -> None:
    assert spelled(written) == word


@pytest.mark.parametrize("written", ["the", "banana", "thanks"])
def test_other_words_are_unknown(written: str) -> None:
    assert spelled(written) == UNKNOWN


@pytest.mark.parametrize("at", [0, 1, 12, 24])
def test_a_word_that_was_not_understood_is_the_one_that_belongs_there(at: int) -> None:
    heard = [*WORDS[:at], UNKNOWN, *WORDS[at + 1 :]]
    assert repaired(heard) == WORDS


def test_half_a_word_at_the_end_is_none() -> None:
    assert repaired(["alpha", "bravo", UNKNOWN]) == ["alpha", "bravo"]


@pytest.mark.parametrize(
    "heard",
    [
        ["alpha", "charlie"],
        ["alpha", "alpha", "bravo"],
        ["alpha", UNKNOWN, "delta"],
        ["alpha", UNKNOWN, UNKNOWN, "charlie"],
        ["alpha", UNKNOWN, "bravo"],
    ],
    ids=["lost", "twice", "one of two lost", "one too many", "said in between"],
)
def test_a_word_that_is_missing_or_too_many_stays_visible(heard: list[str]) -> None:
    assert repaired(heard) == heard


def test_the_alphabet_begins_anew_after_its_end() -> None:
    assert repaired(["yankee", UNKNOWN, "alpha"]) == ["yankee", "zulu", "alpha"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_word_on_both_sides_of_a_cut_is_heard_as_often_as_it_was_said(times: int) -> None:
    class Ear(WhisperEar):
        def _words(self, audio: Samples) -> list[str]:
            if audio[0] != audio[-1]:  # what is around the cut
                return ["uniform", *["victor"] * times, "whiskey"]
            return ["uniform", "victor"] if audio[0] == 1 else ["victor", "whiskey"]

    parts = [np.full(5 * 16_000, level, np.float32) for level in (1, 2)]
    heard = Ear(lambda: Path("unused"))._heard(parts)
    assert heard[0] + heard[1] == ["uniform", *["victor"] * times, "whiskey"]


def test_a_recording_is_cut_where_it_is_silent_for_longest() -> None:
    rate = 16_000
    speech = np.full(2 * rate, 0.5, np.float32)
    within, between = np.zeros(rate // 10, np.float32), np.zeros(rate // 4, np.float32)
    first, second = cut(np.concatenate([speech, within, speech, between, speech]), 1.5, 4.9)
    assert len(first) / rate == pytest.approx(4.225, abs=0.03)
    assert len(second) / rate == pytest.approx(2.125, abs=0.03)
    # Where nothing is silent it is cut all the same.
    assert sum(map(len, cut(np.full(9 * rate, 0.5, np.float32), 4.0, 7.0))) == 9 * rate
