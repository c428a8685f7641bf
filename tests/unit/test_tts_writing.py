"""What of a reply is said before it is complete."""

import asyncio

import pytest
from livekit.plugins.local.engine.text.boundaries import ends_sentence
from livekit.plugins.local.engine.text.cutting import first_phrase
from livekit.plugins.local.engine.writing import Writing

from tests.support import virtual_time

pytestmark = pytest.mark.unit

SLOW, FAST = 0.012, 0.001


@pytest.mark.parametrize(
    ("text", "language", "whole"),
    [
        ("Paris.", "en", True),
        ("William Shakespeare.", "en", True),
        ("Oui !", "fr", True),
        ("Élan vital.", "fr", True),
        ("Paris", "en", False),
        ("At 7.", "en", False),  # perhaps 7.30
        ("At nine p.m.", "en", False),
        ("Prof.", "en", False),
        ("www.", "en", False),
        ("", "en", False),
    ],
)
def test_a_whole_sentence_is_known_by_its_end(text: str, language: str, whole: bool) -> None:
    assert ends_sentence(text, language) is whole


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("Il y a cent vingt minutes dans deux", "Il y a cent vingt minutes"),
        ("Il y a cent vingt minutes dan", None),  # the next word may be another
        ("Il est dans", None),  # too short to stand alone
    ],
)
def test_a_phrase_ends_before_a_word_that_begins_another(text: str, phrase: str | None) -> None:
    end = first_phrase(text, "fr")
    assert (text[:end] if end else None) == phrase


def test_where_nobody_knows_the_phrases_none_is_torn_off() -> None:
    assert first_phrase("Su mesa para cuatro personas esta reservada", "es") is None


def written(text: str, pace: float, *, begun: bool, tokens_per_second: float) -> list[str]:
    async def write() -> list[str]:
        writing = Writing("fr", lambda _: pace)
        for at in range(0, len(text), 4):
            await asyncio.sleep(1 / tokens_per_second)
            if clauses := writing.push(text[at : at + 4]):
                return clauses
        return writing.hurry(begun=begun)

    return virtual_time.run(write())


SENTENCE = "Il y a cent vingt minutes dans deux heu"
PHRASE = "Il y a cent vingt minutes"


def test_a_slow_voice_begins_with_a_phrase() -> None:
    assert written(SENTENCE, SLOW, begun=False, tokens_per_second=20) == [PHRASE]


def test_a_fast_voice_waits_for_the_sentence_but_not_for_long() -> None:
    assert written(SENTENCE, FAST, begun=False, tokens_per_second=40) == []
    assert written(SENTENCE, FAST, begun=False, tokens_per_second=20) == [PHRASE]


def test_a_phrase_after_which_there_would_be_silence_is_not_said() -> None:
    # The rest is written more slowly than the phrase is said.
    assert written(SENTENCE, SLOW, begun=False, tokens_per_second=4) == []
    # Once something was said, there would be silence in any case.
    assert written(SENTENCE, SLOW, begun=True, tokens_per_second=4) == [PHRASE]


def test_a_short_answer_is_said_before_it_is_known_to_be_all() -> None:
    assert written("Paris.", FAST, begun=False, tokens_per_second=20) == ["Paris."]


def test_what_follows_a_short_answer_is_a_segment_of_its_own() -> None:
    async def write() -> list[str]:
        writing = Writing("en", lambda _: FAST)
        return [
            *writing.push("Paris."),
            *writing.push(" It is"),
            *writing.push(" big. And"),
            *writing.push(" old."),  # later sentences wait for what follows them
            *writing.flush(),
        ]

    assert virtual_time.run(write()) == ["Paris.", "It is big.", "And old."]
