"""Roman numerals, ranges, telephone numbers and mathematical signs."""

import re

_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
# Two letters or more, up to 39: "I", "V", "C" and "MIX" are more often something else.
_ROMAN = r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})"
_CENTURY = re.compile(rf"\b(?P<roman>{_ROMAN}|[VX])(?P<ending>e|ème)\b")
_NAMED = re.compile(rf"\b(?P<name>[A-ZÉÈ][\w’']+)\s(?P<roman>{_ROMAN})(?![\w’'-])")
_FIRST = re.compile(r"(?<=\w\s)I(er|re|ère)\b")
# espeak-ng reads "17e" as a number and a letter.
_ORDINAL = re.compile(r"(?<=\d)e\b(?!['’])")
_RULERS = frozenset(
    "Alexander Benedict Catherine Charles Christian Edward Elizabeth Ferdinand Frederick George "
    "Gustav Henry Ivan James Louis Margaret Mary Napoleon Nicholas Paul Peter Philip Pius Ramses "
    "Richard Robert Rudolf Wilhelm William".split()
)

_RANGE = re.compile(
    r"(?<![\w.,/-])(?P<a>\d{1,4}(?:[.,]\d+)?)\s?[-–]\s?(?P<b>\d{1,4}(?:[.,]\d+)?)(?![\w/-])"
)
_PHONE = re.compile(
    r"(?<![\w.,-])(?:\+(?P<country>\d{1,3})[ .-])?"
    r"(?P<groups>(?:\(\d{3}\) ?|\d{3}[-.])?\d{3}-\d{4})(?![\w-])"
)
_MINUS = re.compile(r"(?<![\w.,)\]])[-−](?=\d)")
_SIGNS = {
    "en": (
        (r"(?<=\s)&(?=\s)", "and"),
        (r"(?<=[\w)])\s?[×✕]\s?(?=[\w(])", " times "),
        (r"(?<=[\d)]) ?\* ?(?=[\d(])", " times "),
        (r"\s÷\s", " divided by "),
        (r"(?<=\d)\s?\+\s?(?=\d)|\s\+\s", " plus "),
        (r"\s(?:==?|===)\s", " equals "),
        (r"\s(?:!=|≠)\s", " is not "),
        (r"\s?(?:<=|≤)\s?", " at most "),
        (r"\s?(?:>=|≥)\s?", " at least "),
        (r"\s(?:->|=>)\s", " to "),
        (r"\b24/7\b", "24 7"),
        (r"\s<\s", " is less than "),
        (r"\s>\s", " is more than "),
        (r"(?<!\w)[~≈]\s?(?=\d)", "about "),
        (r"(?<!\w)#(?=\d)", "number "),
        (r"(?<=[^\W\d])/(?=[^\W\d])", " "),
    ),
    "fr": (
        (r"(?<=\s)&(?=\s)", "et"),
        (r"(?<=[\w)])\s?[×✕]\s?(?=[\w(])", " fois "),
        (r"(?<=[\d)]) ?\* ?(?=[\d(])", " fois "),
        (r"\s÷\s", " divisé par "),
        (r"(?<=\d)\s?\+\s?(?=\d)|\s\+\s", " plus "),
        (r"\s(?:==?|===)\s", " égale "),
        (r"\s(?:!=|≠)\s", " différent de "),
        (r"\s?(?:<=|≤)\s?", " au plus "),
        (r"\s?(?:>=|≥)\s?", " au moins "),
        (r"\s(?:->|=>)\s", " vers "),
        (r"\b24/24\b", "24 sur 24"),
        (r"\s<\s", " inférieur à "),
        (r"\s>\s", " supérieur à "),
        (r"(?<!\w)[~≈]\s?(?=\d)", "environ "),
        (r"(?<!\w)#(?=\d)", "numéro "),
        (r"(?<=[^\W\d])/(?=[^\W\d])", " "),
    ),
}
_COMPILED = {
    language: [(re.compile(pattern), name) for pattern, name in signs]
    for language, signs in _SIGNS.items()
}


def say_numerals(text: str, language: str) -> str:
    """Write out what surrounds plain numbers; those stay digits, which every voice can read.

    Args:
        text: Any text; dates and amounts were written out before.
        language: ``en`` or ``fr``.
    """
    if language == "fr":
        text = _CENTURY.sub(lambda found: f"{_value(found['roman'])}{found['ending']}", text)
        text = _FIRST.sub(lambda found: f"1{found[1]}", text)
        text = _ORDINAL.sub("ème", text)
    text = _NAMED.sub(lambda found: _named(found, language), text)
    text = _PHONE.sub(_phone, text)
    text = _RANGE.sub(rf"\g<a> {'à' if language == 'fr' else 'to'} \g<b>", text)
    text = _MINUS.sub("moins " if language == "fr" else "minus ", text)
    for pattern, name in _COMPILED[language]:
        text = pattern.sub(name, text)
    return text


def _named(found: re.Match[str], language: str) -> str:
    name, value = found["name"], _value(found["roman"])
    if language == "en" and name in _RULERS:
        ending = {1: "st", 2: "nd", 3: "rd"}.get(value % 10 if value // 10 != 1 else 0, "th")
        return f"{name} the {value}{ending}"
    return f"{name} {value}"


def _value(roman: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in roman]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def _phone(found: re.Match[str]) -> str:
    """Read digit by digit, with a short rest between groups."""
    groups = re.findall(r"\d+", found["groups"])
    spoken = ", ".join(" ".join(group) for group in groups)
    return f"plus {found['country']}, {spoken}" if found["country"] else spoken
