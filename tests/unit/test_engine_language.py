"""Which language a caller speaks: settled by clear speech, left for good reasons."""

import pytest
from livekit.plugins.local.engine.stt.base import Transcription
from livekit.plugins.local.engine.stt.language import CallLanguage

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
