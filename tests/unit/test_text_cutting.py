import pytest
from livekit.plugins.local.engine.text.cutting import cut_short

pytestmark = pytest.mark.unit

CLAUSES = "The shop is open until eight, and it sells what you need; ask for Anna."
PLAIN = "Votre table pour quatre personnes est réservée à votre nom pour ce soir."


@pytest.mark.parametrize(
    ("language", "text", "characters", "beginning"),
    [
        ("en", CLAUSES, 100, CLAUSES),
        ("en", CLAUSES, 60, "The shop is open until eight, and it sells what you need;"),
        ("en", CLAUSES, 40, "The shop is open until eight,"),
        # No clause can be afforded: a phrase.
        ("fr", PLAIN, 60, "Votre table pour quatre personnes"),
        ("fr", PLAIN, 40, "Votre table pour quatre personnes"),
        # Not even that: as little as there is, but no shred.
        ("fr", PLAIN, 5, "Votre table pour quatre personnes"),
        ("en", CLAUSES, 5, "The shop is open"),
        # Nobody knows the phrases of this language.
        ("es", "Su mesa para cuatro personas esta reservada", 25, "Su mesa para cuatro"),
    ],
)
def test_a_segment_is_cut_to_what_can_be_afforded(
    language: str, text: str, characters: float, beginning: str
) -> None:
    part, rest = cut_short(text, language, characters)
    assert part == beginning
    assert f"{part} {rest}".strip() == text


@pytest.mark.parametrize("text", ["Yes, of course not", "How are you today, my friend", "x" * 90])
def test_a_segment_is_not_cut_where_a_part_would_be_tiny(text: str) -> None:
    assert cut_short(text, "en", 5)[1] in ("", "my friend")
