import pytest

from agent.bench.wer import Alignment, align, looping, words

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "Set brightness to 50%.", "set brightness to fifty percent"),
        ("en", "What's the colour?", "what is the color"),
        ("en", "“Go forward, ten meters!”", "go forward 10 meters"),
        ("fr", "Règle à 50 %.", "règle à cinquante pourcent"),
        ("fr", "L’accident, là-bas !", "l'accident là bas"),
        ("fr", "minuteur dix minutes", "Minuteur 10 minutes."),
        ("pt", "Não consegue aprender.", "não consegue aprender"),
    ],
)
def test_spelling_is_no_error(language: str, one: str, other: str) -> None:
    assert words(one, language) == words(other, language) != []


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [("en", "lock the door", "look the door"), ("fr", "ou est-il", "où est-elle")],
)
def test_another_word_stays_another_word(language: str, one: str, other: str) -> None:
    assert words(one, language) != words(other, language)


@pytest.mark.parametrize(
    ("before", "after", "errors", "kept"),
    [
        ("a b c", "a b c", 0, 3),
        ("a b c", "", 3, 0),
        ("", "a b", 2, 0),
        ("a b c d", "a x c d e", 2, 3),
        ("a b", "b a", 2, 1),
        ("one two three", "two three", 1, 2),
    ],
)
def test_errors_are_the_fewest_and_kept_words_the_most(
    before: str, after: str, errors: int, kept: int
) -> None:
    assert align(before.split(), after.split()) == Alignment(errors, kept)


@pytest.mark.parametrize(
    ("heard", "said", "expected"),
    [
        ("is the door locked is the door locked", "is the door locked", True),
        ("beep beep beep beep", "beep", True),
        ("no no", "no", False),
        ("no no no", "no no no", False),
        ("very very good", "very good", False),
        ("i see what i see", "i see what i see", False),
        ("", "hello", False),
    ],
)
def test_a_loop_is_what_was_said_once_and_heard_again(
    heard: str, said: str, expected: bool
) -> None:
    assert looping(heard.split(), said.split()) is expected
