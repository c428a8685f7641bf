import pytest
from livekit.agents import (
    AgentSession,
    LanguageCode,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)

from agent.call.turn_taking import (
    Detector,
    Endpointing,
    delays,
    follow_words,
    hangs,
    unhurried,
    verdict_pays,
)

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


def test_what_is_complete_waits_less_whatever_it_sounds_like() -> None:
    waits = [delays("en", "Can you name one animal?", completeness=c) for c in (0.9, 0.3, 0.02)]
    assert all(each.min_delay == each.max_delay for each in waits)
    assert [each.min_delay for each in waits] == sorted(each.min_delay for each in waits)
    assert waits[0].min_delay < delays("en").min_delay < delays("en").max_delay
    assert delays("en").max_delay < waits[-1].min_delay


def test_a_word_or_two_are_judged_by_their_sound() -> None:
    # A model expects "yes" to go on, and so it does in most texts.
    assert delays("en", "Yes.", completeness=0.04) == delays("en")
    assert delays("en", "And the", completeness=0.9) == delays("en", "And the")
    assert delays("en", "I saw", completeness=0.0) != delays("en")


def test_where_answers_are_slow_waiting_for_them_costs_nothing() -> None:
    chosen = Endpointing(0.7, 1.0)
    assert unhurried(chosen, 0.5) == chosen
    assert unhurried(chosen, 0.95).min_delay == pytest.approx(0.85)
    assert unhurried(chosen, 3.0) == Endpointing(1.0, 1.0)
    assert unhurried(Endpointing(0.5, 0.5), 3.0) == Endpointing(0.5, 0.5)


@pytest.mark.parametrize(
    ("language", "answer", "pays"),
    [("en", 0.0, True), ("en", 1.05, True), ("en", 1.15, False), ("fr", 1.15, True)],
)
def test_words_are_judged_where_an_answer_may_come_sooner(
    language: str, answer: float, pays: bool
) -> None:
    assert verdict_pays(language, answer) is pays


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
    complete: float | None = None
    answer = 0.0
    follow_words(session, "en", lambda: complete, lambda: answer)

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
    complete = 0.9
    assert say("Allume la", "fr") == delays("fr", "Allume la")
    assert say("Allume la lampe.", "fr") == Endpointing(0.5, 0.5)
    complete = None
    answer = 0.9
    assert say("Allume la lampe.", "fr") == Endpointing(0.8, 1.2)
    answer = 0.0
    # The next utterance begins with a clean slate, and interim words do not count.
    session.emit(
        "user_state_changed", UserStateChangedEvent(old_state="listening", new_state="speaking")
    )
    assert waits() == delays("fr")
    assert say("Allume la", "fr", final=False) == delays("fr")
