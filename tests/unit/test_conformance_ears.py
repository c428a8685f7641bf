"""How the kit makes words of the vocabulary from what Whisper writes."""

import pytest

from tests.conformance.kit.ears import UNKNOWN, repaired, spelled
from tests.conformance.kit.tones import WORDS

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
