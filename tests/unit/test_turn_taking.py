import pytest
from livekit.agents import (
    AgentSession,
    LanguageCode,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)

from agent.call.turn_taking import Detector, Endpointing, delays, follow_words, hangs

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "What is the"),
        ("en", "I would like to, um."),
        ("en", "Please tell me a good name for,"),
        ("en", "Turn on the light and..."),
        ("fr", "Donne-moi un joli nom pour"),
        ("fr", "Combien font, euh."),
        ("fr", "Je voudrais parler à l’"),
    ],
)
def test_who_stops_after_such_words_goes_on(language: str, text: str) -> None:
    assert hangs(language, text)
    assert delays(language, text).min_delay > delays(language).max_delay


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "What is the capital of France?"),
        ("en", "What are you waiting for?"),
        ("en", "Stop"),
        ("en", ""),
        ("en", "42"),
        ("en", "He might be more respectable than he was."),
        ("en", "this recogniser never writes a full stop"),
        ("fr", "Quelle heure est-il ?"),
        ("fr", "Merci."),
        ("de", "Ich möchte ein"),
    ],
)
def test_a_sentence_that_may_be_over_is_answered_soon(language: str, text: str) -> None:
    assert not hangs(language, text)
    assert delays(language, text) == delays(language)


def test_a_long_utterance_without_a_full_stop_goes_on_where_others_get_one() -> None:
    assert hangs("en", "Thanks for watching and I hope", punctuated=True)
    assert hangs("de", "Wie viele Tage sind es noch", punctuated=True)
    assert not hangs("en", "Thanks for watching and I hope.", punctuated=True)
    assert not hangs("en", "Lock the front door", punctuated=True)


@pytest.mark.parametrize("language", ["en", "fr", "de"])
def test_what_sounds_finished_waits_less(language: str) -> None:
    chosen = delays(language)
    assert chosen.min_delay < chosen.max_delay


async def test_the_detector_is_the_local_one_and_knows_its_languages(
    caplog: pytest.LogCaptureFixture,
) -> None:
    detector = Detector()
    assert detector.model == "turn-detector-v1-mini"
    assert await detector.unlikely_threshold(LanguageCode("fr")) == 0.36
    assert await detector.unlikely_threshold(LanguageCode("de"))
    assert not caplog.records


async def test_a_session_waits_as_its_words_ask_for() -> None:
    session: AgentSession[None] = AgentSession(vad=None)
    follow_words(session, "en")

    def say(text: str, language: str, *, final: bool = True) -> Endpointing:
        session.emit(
            "user_input_transcribed",
            UserInputTranscribedEvent(
                transcript=text, is_final=final, language=LanguageCode(language)
            ),
        )
        return waits()

    def waits() -> Endpointing:
        options = session.options.endpointing
        return Endpointing(options["min_delay"], options["max_delay"])

    assert say("Turn on the", "en") == delays("en", "Turn on the")
    assert say("Thanks for watching and I hope", "en") == delays("en")
    assert say("Turn on the light.", "en") == delays("en")
    assert say("Thanks for watching and I hope", "en") == delays("en", "and")
    assert say("Allume la", "fr") == delays("fr", "Allume la") != delays("fr")
    # The next utterance begins with a clean slate, and interim words do not count.
    session.emit(
        "user_state_changed", UserStateChangedEvent(old_state="listening", new_state="speaking")
    )
    assert waits() == delays("fr")
    assert say("Allume la", "fr", final=False) == delays("fr")
