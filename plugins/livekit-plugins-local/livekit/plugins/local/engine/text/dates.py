"""Dates, times of day, years and decades, written so that every voice reads them alike."""

import datetime
import re

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_ISO = re.compile(r"(?<![\w-])(?P<y>[12]\d{3})-(?P<m>\d{2})-(?P<d>\d{2})(?![\w-])")
_NUMERIC = re.compile(
    r"(?<![\w/.,])(?P<first>\d{1,2})(?P<sign>[/.])(?P<second>\d{1,2})(?P=sign)(?P<y>[12]\d{3})"
    r"(?![\w/])"
)
_FRENCH_DAY = re.compile(r"(?<=\b[Ll]e )(?P<d>\d{1,2})/(?P<m>\d{1,2})(?![\w/])")

_CLOCK = re.compile(
    r"(?<![\w.,:])(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)"
    r"(?:(?P<half>\s?[ap](?:\.\s?m\.(?!\w)|\.?m\b))|(?![\w:]))",
    re.IGNORECASE,
)
_HEURES = re.compile(
    r"(?<![\w.,:/])(?P<h>[01]?\d|2[0-4])\s?(?:[hH]|:(?=[0-5]\d))(?:\s?(?P<m>[0-5]\d))?(?![\w:])"
)

_YEAR_AFTER = (
    "in since from to until till by before after of and between year during around circa "
    "january february march april may june july august september october november december"
)
# "In 1500 meters" counts; "in 1500 was" does not.
_COUNTED = r"(?:people|percent|feet|men|women|square|(?!(?:was|is|has|as|its|this)\b)[a-z]{2,}s)\b"
_YEAR = re.compile(
    rf"(?P<lead>\b(?:{'|'.join(_YEAR_AFTER.split())})\s|\d(?:st|nd|rd|th)?,\s)"
    r"(?P<century>1[1-9])(?P<rest>\d\d)(?![\w:%/°]|[.,]\d|\s?[-–]\s?\d)"
    rf"(?!\s+{_COUNTED})",
    re.IGNORECASE,
)
_YEARS = re.compile(r"(?<![\w.,])(?P<a>1[1-9]\d\d)\s?[-–]\s?(?P<b>1[1-9]\d\d|20\d\d)(?![\w-])")
_DECADE = re.compile(
    r"(?:(?<!\w)(?P<century>1[1-9]|20)|(?<=\b[Tt]he )['’]?)(?P<ten>[1-9])0['’]?s\b"
)
_TENS = "tens twenties thirties forties fifties sixties seventies eighties nineties".split()


def say_dates(text: str, language: str) -> str:
    """Write out dates, times of day, years and decades.

    Args:
        text: Any text.
        language: ``en`` or ``fr``; in English ``3/4/2026`` is in March.
    """
    text = _ISO.sub(lambda found: _date(found, found["y"], found["m"], found["d"], language), text)
    text = _NUMERIC.sub(lambda found: _numeric(found, language), text)
    if language == "fr":
        text = _FRENCH_DAY.sub(lambda found: _date(found, "", found["m"], found["d"], "fr"), text)
        return _HEURES.sub(_heures, text)
    text = _CLOCK.sub(_clock, text)
    text = _YEARS.sub(lambda found: f"from {found['a']} to {found['b']}", text)
    text = _DECADE.sub(_decade, text)
    return _YEAR.sub(lambda found: found["lead"] + _year(found["century"], found["rest"]), text)


def _numeric(found: re.Match[str], language: str) -> str:
    day, month = found["first"], found["second"]
    if language == "en" and found["sign"] == "/" and int(found["first"]) <= 12:
        day, month = month, day
    return _date(found, found["y"], month, day, language)


def _date(found: re.Match[str], year: str, month: str, day: str, language: str) -> str:
    try:
        # In a leap year, where none is named.
        date = datetime.date(int(year or 2000), int(month), int(day))
    except ValueError:
        return found.group()
    name = _MONTHS[language].split()[date.month - 1]
    if language == "fr":
        return f"{'1er' if date.day == 1 else date.day} {name} {year}".rstrip()
    ending = {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10 if date.day // 10 != 1 else 0, "th")
    return f"{name} {date.day}{ending}, {year}"


def _clock(found: re.Match[str]) -> str:
    hour, minute = int(found["h"]), int(found["m"])
    half = (found["half"] or "").strip()
    if not half and (hour == 0 or hour > 12):
        half = "p.m." if 12 <= hour < 24 else "a.m."
        hour = hour % 12 or 12
    spoken = str(hour)
    if minute:
        spoken += f" {minute}" if minute > 9 else f" oh {minute}"
    elif not half:
        spoken += " o'clock"
    return f"{spoken} {half}".rstrip()


def _heures(found: re.Match[str]) -> str:
    hour, minute = int(found["h"]), int(found["m"] or 0)
    return f"{hour} heure{'s' if hour > 1 else ''} {minute or ''}".rstrip()


def _decade(found: re.Match[str]) -> str:
    return f"{found['century'] or ''} {_TENS[int(found['ten']) - 1]}".strip()


def _year(century: str, rest: str) -> str:
    if rest == "00":
        return f"{century} hundred"
    return f"{century} oh {rest[1]}" if rest[0] == "0" else f"{century} {rest}"
