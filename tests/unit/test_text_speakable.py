import pytest
from livekit.plugins.local.engine.text.speakable import is_speakable, speakable

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("## A *very* **bold** _idea_ with `code`", "A very bold idea with code"),
        ("- first\n- second", "first second"),
        ("> quoted\n* starred", "quoted starred"),
        ("See [the page](https://example.com/x) and ![a cat](cat.png).", "See the page and a cat."),
        ("Hi 👋🏽 there 👨‍👩‍👧 friend ❤️ 🇫🇷!", "Hi there friend !"),
        ("Press 1️⃣ now", "Press 1 now"),
        ('<speak>Hello <break time="1s"/> you</speak>', "Hello you"),
        ("It is 20 °C, 50 % & 2 * 3 = 6 €", "It is 20 °C, 50 % & 2 * 3 = 6 €"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("snake_case stays", "snake_case stays"),
        ("- 5 degrees", "5 degrees"),
        ("tab\tand\u00a0space\r\nand\x00null\x1b", "tab and space and null"),
        ("zero\u200bwidth, soft\u00adhyphen, \ufeffmark", "zerowidth, softhyphen, mark"),
        ("half a \ud83d pair", "half a pair"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("« Ça va ? »", "« Ça va ? »"),
    ],
)
def test_what_cannot_be_spoken_is_removed(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", True), ("7", True), ("我", True), ("", False), ("—…!", False), ("* * *", False)],
)
def test_speakable_text_has_a_letter_or_a_digit(text: str, expected: bool) -> None:
    assert is_speakable(text) is expected
