import time
import tomllib
from pathlib import Path

import pytest
from livekit.plugins.local.engine.text.speakable import speakable

pytestmark = pytest.mark.unit

SENTENCES = Path(__file__).parents[2] / "agent" / "bench" / "tts" / "sentences.toml"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        # Addresses
        ("See https://www.example.com/docs/start?x=1#a, now.",
         "See example dot com slash docs slash start, now."),
        ("Go to foo-bar.io/x_y.", "Go to foo dash bar dot I O slash x underscore y."),
        ("Mail jane.doe@example.org!", "Mail jane dot doe at example dot org!"),
        ("Version 1.2.3 of node.js, etc.", "Version 1.2.3 of node.js, etc."),
        # Dates and times
        ("Due 2026-11-05.", "Due November 5th, 2026."),
        ("On 3/14/2026 and 31/12/2025", "On March 14th, 2026 and December 31st, 2025"),
        ("Not 2026-13-45, not 13/13/2026", "Not 2026-13-45, not 13/13/2026"),
        ("At 10:30, 6:05, 12:00 and 5:30pm", "At 10 30, 6 oh 5, 12 o'clock and 5 30 pm"),
        ("At 14:00, 0:30 and 7:45 p.m. sharp", "At 2 p.m., 12 30 a.m. and 7 45 p.m. sharp"),
        ("The score is 3:4 at 12:05:30", "The score is 3:4 at 12:05:30"),
        ("In 1987, since 1905, by 1900", "In 19 87, since 19 oh 5, by 19 hundred"),
        ("In 1500 meters, of 1,500", "In 1500 meters, of 1,500"),
        ("In 1969 was Apollo", "In 19 69 was Apollo"),
        ("The 1980s and the '90s", "The 19 eighties and the nineties"),
        # Amounts
        ("$1,250.50, $1, $0.99, $1.01", "1,250 dollars and 50 cents, 1 dollar, 99 cents, "
         "1 dollar and 1 cent"),
        ("€5M, $3.2 million, 20 EUR", "5 million euros, 3.2 million dollars, 20 euros"),
        ("5 km, 1 km, 3.5 kg, 12 km/h", "5 kilometers, 1 kilometer, 3.5 kilograms, "
         "12 kilometers per hour"),
        ("20 °C, -5 °C", "20 degrees Celsius, minus 5 degrees Celsius"),
        ("2½ cups, 1/2 cup, 3/4", "2 and a half cups, one half cup, three quarters"),
        # Numerals and signs
        ("Henry VIII, World War II, Part IV", "Henry the 8th, World War 2, Part 4"),
        ("I, a mix of V and X", "I, a mix of V and X"),
        ("9-5 or 10–20%", "9 to 5 or 10 to 20%"),
        ("Call 555-123-4567", "Call 5 5 5, 1 2 3, 4 5 6 7"),
        ("2 + 2 = 4, 3 * 4, a <= b", "2 plus 2 equals 4, 3 times 4, a at most b"),
        ("salt & pepper, and/or, ~50, #1", "salt and pepper, and or, about 50, number 1"),
        ("e.g. this, no. 5 vs. no. 6", "for example, this, number 5 versus number 6"),
        ("No. I mean it.", "No. I mean it."),
    ],
)  # fmt: skip
def test_english_is_written_as_it_is_said(text: str, spoken: str) -> None:
    assert speakable(text, "en") == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Voir https://exemple.fr/aide.", "Voir exemple point F R slash aide."),
        ("Écrivez à jean-paul@exemple.fr", "Écrivez à jean tiret paul arobase exemple point F R"),
        ("Le 14/07/2026, le 1/5", "Le 14 juillet 2026, le 1er mai"),
        ("Du 2026-05-01 au 14.07.2026", "Du 1er mai 2026 au 14 juillet 2026"),
        ("À 10h30, 18h05, 9 h, 1h et 20:15", "À 10 heures 30, 18 heures 5, 9 heures, 1 heure et "
         "20 heures 15"),
        ("1 250,50 €, 1 €, 0,99 €, 40 $", "1 250 euros 50, 1 euro, 99 centimes, 40 dollars"),
        ("5 millions €, 3 M€", "5 millions d'euros, 3 millions d'euros"),
        ("Le 17e jour, en 1998 l'équipe", "Le 17ème jour, en 1998 l'équipe"),
        ("90 km/h, 1,5 l, 2 m, 3 Go", "90 kilomètres heure, 1,5 litre, 2 mètres, 3 gigaoctets"),
        ("Il fait -5 °C.", "Il fait moins 5 degrés."),
        ("Au XXIe siècle, Louis XIV, François Ier", "Au 21ème siècle, Louis 14, François 1er"),
        ("1914-1918, de 5 à 10 km", "1914 à 1918, de 5 à 10 kilomètres"),
        ("M. Dupont, Mme Curie, Dr Roux", "monsieur Dupont, madame Curie, docteur Roux"),
        ("p. ex. ceci, c.-à-d. n° 5", "par exemple ceci, c'est-à-dire numéro 5"),
        ("3 × 4 = 12, 1/2", "3 fois 4 égale 12, un demi"),
        ("Appelez le 01 23 45 67 89.", "Appelez le 01 23 45 67 89."),
    ],
)  # fmt: skip
def test_french_is_written_as_it_is_said(text: str, spoken: str) -> None:
    assert speakable(text, "fr") == spoken


def test_code_and_tables_lose_their_frames() -> None:
    text = "```python\nx = 1\n```\n| a | b |\n|---|---|\n| 1 | 2 |\n---\nend"
    assert speakable(text, "en") == "x equals 1 a, b 1, 2 end"


@pytest.mark.parametrize("language", ["", "de", "xx"])
def test_other_languages_are_left_to_the_engine(language: str) -> None:
    assert speakable("Am 3.4. um 10:30, $5", language) == "Am 3.4. um 10:30, $5"


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "piece",
    [
        " ", "\n ", "[", "[](", "[](()", "a", "1", "1,", "1 000 ", "a.a@", "https://a/", "-|",
        "--- ", "|", "5:",
        "<a a='", "1/2/", "in ", "M. ", "$1", "](", "`", "\x00", "XVI ", "é",
    ],
)  # fmt: skip
def test_100_000_characters_of_anything_take_no_time_to_speak_of(piece: str, language: str) -> None:
    began = time.perf_counter()
    speakable(piece * (100_000 // len(piece)), language)
    assert time.perf_counter() - began < 10


def test_every_sentence_of_the_benchmark_keeps_its_words_and_loses_its_signs() -> None:
    sentences = tomllib.loads(SENTENCES.read_text())["sentences"]
    assert [s["language"] for s in sentences].count("en") == 30
    assert [s["language"] for s in sentences].count("fr") == 30
    for sentence in sentences:
        spoken = speakable(sentence["text"], sentence["language"])
        assert not set("$€£°/:") & set(spoken), spoken
        assert all(name in spoken for name in sentence.get("names", []))
