"""Messages of whole words, however the reply is cut."""

import random

import pytest
from livekit.plugins.kyutai.words import WordSplitter

pytestmark = pytest.mark.unit

PAUSE = '<break time="0.5s"/>'


def messages(*pieces: str) -> list[str]:
    splitter = WordSplitter()
    found = [splitter.push(piece) for piece in pieces]
    return [message for message in (*found, splitter.flush()) if message]


def test_a_word_waits_for_its_end() -> None:
    assert messages("Hel", "lo, wor", "ld.") == ["Hello,", "world."]


def test_a_complete_word_is_not_kept() -> None:
    assert WordSplitter().push("Hello ") == "Hello"


@pytest.mark.parametrize(
    "text",
    [
        f"Alpha bravo {PAUSE} charlie delta.",
        f"Alpha{PAUSE}bravo charlie",
        f'one <break  time="2s" /> two{PAUSE}{PAUSE} three',
        "It's 5 < 6, and a <b> c <",
        "Ça va\u00a0? Oui\u202f! 10\u00a0000 fois.",
    ],
)
def test_any_cut_gives_the_same_words_and_no_word_or_pause_is_cut(text: str) -> None:
    whole = " ".join(messages(text))
    rng = random.Random(1)
    for _ in range(200):
        cuts = sorted(rng.sample(range(1, len(text)), rng.randint(0, 6)))
        pieces = [
            text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
        ]
        found = messages(*pieces)
        assert " ".join(found) == whole
        for message in found:
            assert message.count("<break") == message.count("/>")


def test_each_character_alone() -> None:
    text = f"Alpha bravo {PAUSE} charlie."
    assert messages(*text) == ["Alpha", "bravo", PAUSE, "charlie."]


@pytest.mark.parametrize(
    "text", ["", " ", "\n\t", "…", "?!", "🙂 🎉", "—", PAUSE, f" {PAUSE} ...", "**"]
)
def test_what_cannot_be_spoken_is_nothing(text: str) -> None:
    assert messages(text) == []
    assert messages(*text) == []


def test_markup_quotes_and_emoji_are_left_out() -> None:
    assert messages("“Hello” **big** `world` 🙂 it’s_me !") == ["Hello big world it'sme", "!"]


def test_french_marks_stay_with_their_word() -> None:
    assert messages("Ça va\u00a0? Oui\u202f!") == ["Ça va?", "Oui!"]


def test_a_pause_before_the_first_word_is_left_out() -> None:
    assert messages(f"{PAUSE} Hello {PAUSE} you") == [f"Hello {PAUSE}", "you"]


def test_what_only_begins_like_a_pause_is_text() -> None:
    assert messages("a <br", "ush b") == ["a", "<brush", "b"]
