"""Interim transcripts: which words stay, and when the next one is due."""

import pytest
from livekit.plugins.local.engine.stt.agreement import Agreement, plain
from livekit.plugins.local.engine.stt.interims import Interims

pytestmark = pytest.mark.unit


def test_what_two_hypotheses_agree_on_stays() -> None:
    words = Agreement()
    assert words.show("turn of") == "turn"
    assert words.stable == ""
    assert words.show("turn off the") == "turn off"
    assert words.stable == "turn"
    assert words.show("turn off the lights") == "turn off the lights"
    assert words.stable == "turn off the"


def test_the_newest_word_is_shown_only_when_it_is_the_only_new_one() -> None:
    words = Agreement()
    assert words.show("fast") == "fast"
    assert words.show("fascinating to") == "fascinating"


def test_stable_words_survive_a_hypothesis_that_has_others() -> None:
    words = Agreement()
    for text in ("turn off the", "turn off the light"):
        words.show(text)
    assert words.show("burn of a lighter please") == "turn off the lighter"
    assert words.show("") == "turn off the"
    assert words.stable == "turn off the"


def test_words_agree_whatever_their_case_and_punctuation() -> None:
    words = Agreement()
    words.show("Hello, I'm")
    assert words.show("hello. I’m here") == "hello. I’m here"
    assert words.stable == "hello. I’m"
    assert words.show("Hello I'm here") == "hello. I’m here"


def test_every_interim_begins_with_the_stable_words() -> None:
    words = Agreement()
    hypotheses = ["a b", "a b c", "a c c d", "x y z", "a b c d e", "a b c d e f"]
    for text in hypotheses:
        stable = words.stable
        assert words.show(text).startswith(stable)
        assert words.stable.startswith(stable)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hello, there!", "hello there"), ("C’est ça.", "c'est ça"), (" a  b ", "a b")],
)
def test_plain_texts_are_what_was_said(one: str, other: str) -> None:
    assert plain(one) == plain(other)


def test_plain_keeps_what_makes_a_difference() -> None:
    assert plain("It's 5.") != plain("It's 6.")


def test_the_first_interim_comes_early_and_the_next_a_third_of_a_second_later() -> None:
    pace = Interims()
    assert not pace.due(0.2, 1.0)
    assert pace.due(0.4, 1.2)
    pace.asked(1.2)
    pace.answered(0.1)
    assert not pace.due(0.7, 1.45)
    assert pace.due(0.8, 1.55)


def test_nothing_to_show_is_tried_again_soon_but_once() -> None:
    pace = Interims()
    pace.asked(1.0)
    pace.answered(0.1)
    pace.came_to_nothing()
    assert pace.due(0.6, 1.2)
    pace.asked(1.2)
    pace.answered(0.1)
    pace.came_to_nothing()
    assert not pace.due(0.9, 1.45)
    assert pace.due(1.0, 1.55)
    pace.start_over()
    pace.asked(3.0)
    pace.answered(0.1)
    pace.came_to_nothing()
    assert pace.due(0.6, 3.2)


def test_slow_answers_make_the_next_wait() -> None:
    pace = Interims()
    pace.asked(1.0)
    pace.answered(0.8)
    assert not pace.due(2.0, 2.5)
    assert pace.due(3.0, 3.1)
    pace.answered(0.1)
    assert pace.due(3.0, 1.6)


def test_many_who_speak_share_the_time_for_interims() -> None:
    pace = Interims()
    pace.asked(1.0)
    pace.answered(0.16, speaking=4)
    assert not pace.due(2.0, 2.5)
    assert pace.due(2.0, 2.7)


def test_interims_that_were_dropped_make_the_next_wait_longer_but_not_for_ever() -> None:
    pace = Interims()
    pace.asked(1.0)
    pace.dropped()
    assert not pace.due(5.0, 1.55)
    assert pace.due(5.0, 1.65)
    for _ in range(10):
        pace.dropped()
    assert pace.due(9.0, 5.1)


def test_the_next_utterance_begins_without_the_words_of_the_last() -> None:
    pace = Interims()
    pace.asked(1.0)
    for _ in range(2):
        pace.show("one two")
    pace.start_over()
    assert pace.stable == ""
    assert pace.due(0.4, 1.1)
