import random

import pytest
from livekit.plugins.local.engine.text.segmenter import (
    HARD_LIMIT,
    SOFT_LIMIT,
    Segmenter,
    pause_after,
)

pytestmark = pytest.mark.unit

LONG_CLAUSES = (
    "This is the opening. The committee, which had met every single week since the spring, "
    "decided, after a long and rather heated debate in the old town hall, that the bridge, "
    "although it was not beautiful, would be repaired, painted and opened again before winter "
    "came to the valley and the river froze over. Then they went home."
)
NO_PUNCTUATION = "word " * 150
TEXTS = [
    ("en", "Sure, I can do that. The total is 3.5 dollars, or 1,250 yen! Is it OK? Yes... maybe."),
    (
        "en",
        "Dr. Smith met J. K. Rowling at 10:30 a.m. in the U.S. Senate. They talked, e.g. of art.",
    ),
    ("en", 'He said: "Stop right there." Then he left (quickly!). See https://a.b/c?d=1. Bye now.'),
    (
        "en",
        "Here is the list:\n1. Buy some milk\n2. Pay the bills\n- One more thing\n\nThat is all.",
    ),
    (
        "fr",
        "Bien sûr, M. Dupont ! Il a dit : « Oui, d'accord. » Puis il est parti… sans rien dire.",
    ),
    (
        "fr",
        "Voilà\u202f! Ça coûte 3,50\u00a0€\u00a0; p. ex. un café. Mme. Martin arrive à 10 : 30.",
    ),
    ("hi", "नमस्ते, आप कैसे हैं? मैं ठीक हूँ। धन्यवाद और फिर मिलेंगे।"),
    ("zh", "你好，我今天很好。你想去哪里吃饭呢？我们一起去吧！好的。"),
    ("en", LONG_CLAUSES),
    ("en", NO_PUNCTUATION),
    ("en", "https://example.com/" + "a" * 400 + " is long. And this is not."),
]


def segments(text: str, language: str = "en") -> list[str]:
    segmenter = Segmenter(language)
    return segmenter.push(text) + segmenter.flush()


def later_segments(text: str, language: str = "en") -> list[str]:
    """Segments of `text` when the reply has begun, so that clauses no longer count."""
    first, *rest = segments(f"Well, this is it. {text}", language)
    assert first == "Well, this is it."
    return rest


@pytest.mark.parametrize(("language", "text"), TEXTS)
def test_any_chunking_gives_the_same_segments(language: str, text: str) -> None:
    expected = segments(text, language)
    for seed in range(40):
        rng = random.Random(seed)
        segmenter, found, rest = Segmenter(language), [], text
        while rest:
            size = rng.choice((1, 1, 2, 3, 5, 8, 40))
            found += segmenter.push(rest[:size])
            rest = rest[size:]
        assert found + segmenter.flush() == expected


@pytest.mark.parametrize(("language", "text"), TEXTS)
def test_segments_are_the_text_up_to_white_space(language: str, text: str) -> None:
    found = segments(text, language)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(segment == segment.strip() and segment for segment in found)
    assert all(len(segment) <= HARD_LIMIT for segment in found)


@pytest.mark.parametrize(
    ("language", "text", "first"),
    [
        ("en", "Of course, I can do that.", "Of course,"),
        ("en", "Sure, I can do that. And more.", "Sure, I can do that."),
        ("en", "Well, I think — yes", "Well, I think —"),
        ("en", "Good question: the answer is no", "Good question:"),
        ("en", "**Certainly**, here it is", "**Certainly**,"),
        ("fr", "Bien sûr, je peux le faire", "Bien sûr,"),
        ("fr", "Bonjour ! Comment ça va", "Bonjour !"),
        ("fr", "Attendez… je cherche", "Attendez…"),
        ("fr", "Avec plaisir\u00a0; voici la suite", "Avec plaisir\u00a0;"),
        ("en", "The price is 3.5, or 1,250 yen", "The price is 3.5,"),
        ("en", 'He said "no way," and left', 'He said "no way,"'),
    ],
)
def test_first_segment_ends_at_the_first_safe_clause(language: str, text: str, first: str) -> None:
    assert segments(text, language)[0] == first


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Dr. Smith and Mrs. Jones met Prof. Gray."),
        ("en", "It costs $3.50 and weighs 1,250.75 kg."),
        ("en", "J. K. Rowling was at St. Mary's."),
        ("en", "We use tools, e.g. A hammer, i.e. The big one."),
        ("en", "See p. 12 and No. 5 of vol. 3."),
        ("en", "Write to john.doe@example.com or see www.example.com/a.html for more."),
        ("en", "The train leaves at 10:30 a.m. on weekdays."),
        ("en", "He lives in the U.S. Army base."),
        ("en", "Bring pens, paper, etc. and a bag."),
        ("en", "Yahoo! is a company."),
        ("fr", "M. Dupont et Mme. Martin sont chez le Dr. Petit."),
        ("fr", "Prenez un fruit, p. ex. Une pomme."),
        ("fr", "Cela date du IIe siècle av. J.-C. environ."),
        ("fr", "Il coûte 3,50 € ; soit 1 250 yens : rien."),
        ("fr", "Il y a des chats, des chiens, etc. dans la maison."),
        ("fr", "« Ah ! dit-il. »"),
        ("it", "Il dott. Rossi e la sig. Bianchi."),
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(language: str, sentence: str) -> None:
    found = later_segments(f"{sentence} Next comes another one.", language)
    assert found == [sentence, "Next comes another one."]


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["And so do I.", "Then we left at 5 p.m.", "It was late."]),
        ("en", ["Is that all?", "Yes it is!", "Wait for me..."]),
        ("en", ['She said "Stop it."', "(He did not listen.)", "All was lost."]),
        ("en", ["We bought milk, eggs, etc.", "Nothing else."]),
        ("en", ["He is number 3.", "She is second to none."]),
        ("en", ["Please tell me.", "There is no way.", "It is 5 mm."]),
        ("fr", ["Il a dit : « Oui, d'accord. »", "Puis il est parti.", "Il y en a sept."]),
        ("fr", ["Vraiment\u202f?", "Mais oui, vraiment !", "Dites-le-moi."]),
        ("hi", ["मैं बिल्कुल ठीक हूँ।", "आप बताइए कैसे हैं।"]),
        ("zh", ["你想去哪里吃饭呢？", "我们一起去吧好不好！"]),
    ],
)
def test_sentences_are_separated(language: str, sentences: list[str]) -> None:
    assert later_segments(" ".join(sentences), language) == sentences


def test_somebody_who_waits_gets_the_next_clause_and_then_sentences_again() -> None:
    segmenter = Segmenter("en")
    assert segmenter.push("Once upon a time, in a land far away, there ") == ["Once upon a time,"]
    assert segmenter.hurry() == ["in a land far away,"]
    assert segmenter.hurry() == []
    assert segmenter.push("lived a princess, who ") == ["there lived a princess,"]
    assert segmenter.push("loved dragons, and dogs. They") == ["who loved dragons, and dogs."]


def test_lines_of_a_list_are_segments_and_keep_their_marker() -> None:
    text = "Here is the list:\n1. Buy some milk\n2. Pay the bills\n- Call a friend\n\nThat is all."
    assert segments(text) == [
        "Here is the list:",
        "1. Buy some milk",
        "2. Pay the bills",
        "- Call a friend",
        "That is all.",
    ]


def test_short_sentences_stay_together() -> None:
    assert later_segments("Yes. No. OK. I really do not know.") == [
        "Yes. No. OK.",
        "I really do not know.",
    ]


def test_a_short_answer_is_said_at_once_but_no_short_clause() -> None:
    segmenter = Segmenter("en")
    assert segmenter.push("No. That") == ["No."]
    assert segmenter.push(" is not so. ") == []
    assert segments("Rome. It is old.") == ["Rome.", "It is old."]
    assert segments("Yes, it is a good idea.") == ["Yes, it is a good idea."]
    assert segments("1. Buy some milk and some bread.")[0].startswith("1. Buy")


def test_long_sentence_is_cut_at_clauses() -> None:
    found = segments(LONG_CLAUSES)
    assert found[0] == "This is the opening."
    assert found[1].endswith(",")
    assert all(len(segment) <= SOFT_LIMIT for segment in found)


def test_text_without_punctuation_is_cut_between_words() -> None:
    found = segments(NO_PUNCTUATION)
    assert len(found) == 3
    assert all(set(segment.split()) == {"word"} for segment in found)


def test_a_number_at_the_end_waits_for_its_decimals() -> None:
    segmenter = Segmenter("en")
    assert segmenter.push("The distance is about 3.") == []
    assert segmenter.push("5 km. ") == []
    assert segmenter.push("So") == ["The distance is about 3.5 km."]


def test_segment_is_complete_as_soon_as_the_next_word_begins() -> None:
    segmenter = Segmenter("en")
    assert segmenter.push("Of course,") == []
    assert segmenter.push(" I") == ["Of course,"]
    assert segmenter.push(" can do that for you, no problem. ") == []
    assert segmenter.push("N") == ["I can do that for you, no problem."]


def test_flush_returns_the_rest_and_starts_over() -> None:
    segmenter = Segmenter("en")
    segmenter.push("Hello there. One moment")
    assert segmenter.flush() == ["One moment"]
    assert segmenter.flush() == []
    assert segmenter.push("Here we are, at last") == ["Here we are,"]


def test_a_huge_text_is_cut_quickly() -> None:
    found = segments("This is a sentence, like any other one. " * 2500)
    assert len(found) > 2500


@pytest.mark.parametrize(
    ("segment", "pause"),
    [
        ("Done.", 0.24),
        ('"Really?"', 0.24),
        ("« Oui ! »", 0.24),
        ("Well,", 0.09),
        ("cut here", 0.04),
    ],
)
def test_pause_depends_on_punctuation(segment: str, pause: float) -> None:
    assert pause_after(segment) == pause
