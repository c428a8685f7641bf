"""Which language a caller speaks: settled by clear speech, left for good reasons."""

import numpy as np
import pytest
from livekit.plugins.local.engine.stt.base import Request, Transcription
from livekit.plugins.local.engine.stt.language import CallLanguage, choose, evidence

pytestmark = pytest.mark.unit


def heard(language: str, probability: float = 0.9, logprob: float = -0.3) -> Transcription:
    return Transcription("words", language, probability, logprob)


def test_the_first_language_is_taken_until_something_is_heard() -> None:
    language = CallLanguage(["fr", "en"])
    assert (language.current, language.settled) == ("fr", False)


def test_clear_speech_settles_it() -> None:
    language = CallLanguage(["en", "fr"])
    language.heard(heard("fr"), 2.0)
    assert (language.current, language.settled) == ("fr", True)


@pytest.mark.parametrize(("probability", "seconds"), [(0.7, 3.0), (0.95, 1.0)])
def test_little_or_doubtful_speech_does_not(probability: float, seconds: float) -> None:
    language = CallLanguage(["en", "fr"])
    language.heard(heard("fr", probability), seconds)
    assert (language.current, language.settled) == ("fr", False)


def test_a_whole_utterance_that_does_not_fit_opens_it_again() -> None:
    language = CallLanguage(["en", "fr"])
    language.heard(heard("fr"), 2.0)
    language.heard(heard("fr", 0.9, -1.4), 1.0)
    assert language.settled, "a short word says nothing about the language"
    language.heard(heard("fr", 0.9, -1.4), 2.0)
    assert not language.settled


def test_one_language_is_always_settled() -> None:
    language = CallLanguage(["en"])
    language.heard(heard("en", 1.0, -2.0), 5.0)
    assert language.settled


def scores(french: float) -> dict[str, float]:
    return {"<|en|>": 1 - french, "<|fr|>": french}


def request(seconds: float, *, settled: bool = True, draft: bool = False) -> Request:
    return Request(
        np.zeros(0, np.float32),
        current="en",
        candidates=("en", "fr", "de"),
        speech_seconds=seconds,
        settled=settled,
        draft=draft,
    )


def chosen(french: float, asked: Request) -> list[str]:
    return [choice.language for choice in choose(scores(french), asked)]


@pytest.mark.parametrize("seconds", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("settled", [True, False])
def test_the_callers_language_is_kept_where_it_is_probable(seconds: float, settled: bool) -> None:
    assert chosen(0.15, request(seconds, settled=settled)) == ["en"]


@pytest.mark.parametrize(("seconds", "settled"), [(0.8, True), (3.0, True), (0.4, False)])
def test_it_is_left_without_a_look_at_the_words_where_another_is_certain(
    seconds: float, settled: bool
) -> None:
    assert chosen(0.99, request(seconds, settled=settled)) == ["fr"]


def test_a_language_that_is_not_possible_is_left() -> None:
    asked = Request(np.zeros(0, np.float32), 2.0, current="it", candidates=("en", "fr"))
    assert chosen(0.99, asked) == ["fr"]


@pytest.mark.parametrize(("french", "seconds"), [(0.25, 2.0), (0.6, 2.0), (0.9, 2.0), (0.99, 0.6)])
def test_in_doubt_the_words_are_heard_in_both(french: float, seconds: float) -> None:
    assert chosen(french, request(seconds)) == ["en", "fr"]


@pytest.mark.parametrize(
    ("french", "seconds", "settled", "language"),
    [
        (0.6, 2.0, True, "en"),
        (0.85, 2.0, True, "fr"),
        (0.99, 0.6, True, "en"),
        (0.99, 0.6, False, "fr"),
    ],
)
def test_a_draft_is_worth_no_second_hearing(
    french: float, seconds: float, settled: bool, language: str
) -> None:
    assert chosen(french, request(seconds, settled=settled, draft=True)) == [language]


@pytest.mark.parametrize(
    ("probability", "logprobs", "seconds", "settled", "likely"),
    [
        # Measured: "Quelle est la capitale de l'Espagne ?", and what it becomes in English.
        (0.49, (-0.31, -0.18), 1.6, True, "fr"),
        # Measured: "Je ne sais pas."
        (0.97, (-0.21, -0.11), 0.75, True, "fr"),
        (0.3, (-0.6, -0.2), 2.0, True, "fr"),
        (0.6, (-0.2, -0.4), 2.0, True, "en"),
        # A short word alone is little reason to leave a language; before there is one, it is.
        (0.6, (-0.3, -0.25), 0.5, True, "en"),
        (0.6, (-0.3, -0.25), 0.5, False, "fr"),
    ],
)
def test_the_words_count_as_well_as_the_sound(
    probability: float,
    logprobs: tuple[float, float],
    seconds: float,
    settled: bool,
    likely: str,
) -> None:
    both = [heard("en", 1 - probability, logprobs[0]), heard("fr", probability, logprobs[1])]
    asked = request(seconds, settled=settled)
    assert max(both, key=lambda each: evidence(each, asked)).language == likely
