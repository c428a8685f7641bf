"""Which language a caller speaks: settled by clear speech, left for good reasons."""

import numpy as np
import pytest
from livekit.plugins.local.engine.stt.base import Request, Transcription
from livekit.plugins.local.engine.stt.language import CallLanguage, choose

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


def request(seconds: float, *, settled: bool) -> Request:
    return Request(
        np.zeros(0, np.float32),
        current="en",
        candidates=("en", "fr"),
        speech_seconds=seconds,
        settled=settled,
    )


@pytest.mark.parametrize(
    ("french", "seconds", "chosen"),
    [(0.85, 1.0, "fr"), (0.65, 1.4, "fr"), (0.75, 1.0, "en"), (0.55, 3.0, "en"), (0.99, 0.6, "en")],
)
def test_a_settled_language_is_left_for_one_clear_sentence(
    french: float, seconds: float, chosen: str
) -> None:
    assert choose(scores(french), request(seconds, settled=True))[0] == chosen


@pytest.mark.parametrize(
    ("french", "seconds", "chosen"), [(0.6, 1.6, "fr"), (0.85, 0.6, "fr"), (0.6, 0.6, "en")]
)
def test_before_that_long_or_clear_speech_decides(
    french: float, seconds: float, chosen: str
) -> None:
    assert choose(scores(french), request(seconds, settled=False))[0] == chosen
