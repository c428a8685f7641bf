"""Prices, measures and fractions: the sign goes where it is said, ``$5`` → ``5 dollars``."""

import re
from typing import NamedTuple


class _Name(NamedTuple):
    """One of something, and several."""

    one: str
    many: str


def _names(table: str) -> dict[str, _Name]:
    """Read lines of ``sign one many``; `_` stands for a space."""
    rows = (line.split() for line in table.strip().splitlines())
    return {
        sign: _Name(one.replace("_", " "), many.replace("_", " "))
        for row in rows
        for *signs, one, many in [row]
        for sign in signs
    }


_MONEY = {
    "en": _names("""
        $ USD US$ dollar dollars
        € EUR euro euros
        £ GBP pound pounds
        ¥ JPY yen yen
        CHF Swiss_franc Swiss_francs
    """),
    "fr": _names("""
        $ USD US$ dollar dollars
        € EUR euro euros
        £ GBP livre livres
        ¥ JPY yen yens
        CHF franc_suisse francs_suisses
    """),
}
_CENTS = {
    "en": {
        "dollar": _Name("cent", "cents"),
        "euro": _Name("cent", "cents"),
        "pound": _Name("penny", "pence"),
    },
    "fr": {"dollar": _Name("cent", "cents"), "euro": _Name("centime", "centimes")},
}
_UNITS = {
    "en": _names("""
        km kilometer kilometers
        m meter meters
        cm centimeter centimeters
        mm millimeter millimeters
        km² km2 square_kilometer square_kilometers
        m² m2 square_meter square_meters
        m³ m3 cubic_meter cubic_meters
        kg kilogram kilograms
        g gram grams
        mg milligram milligrams
        L l liter liters
        mL ml milliliter milliliters
        cl centiliter centiliters
        km/h kilometer_per_hour kilometers_per_hour
        m/s meter_per_second meters_per_second
        mph mile_per_hour miles_per_hour
        mi mile miles
        ft foot feet
        lb lbs pound pounds
        oz ounce ounces
        °C degree_Celsius degrees_Celsius
        °F degree_Fahrenheit degrees_Fahrenheit
        ° degree degrees
        h hr hrs hour hours
        min mins minute minutes
        s sec second seconds
        ms millisecond milliseconds
        MB/s megabyte_per_second megabytes_per_second
        TB terabyte terabytes
        GB gigabyte gigabytes
        MB megabyte megabytes
        KB kB kilobyte kilobytes
        GHz gigahertz gigahertz
        MHz megahertz megahertz
        kHz kilohertz kilohertz
        Hz hertz hertz
        kWh kilowatt_hour kilowatt_hours
        kW kilowatt kilowatts
        MW megawatt megawatts
        W watt watts
        V volt volts
    """),
    "fr": _names("""
        km kilomètre kilomètres
        m mètre mètres
        cm centimètre centimètres
        mm millimètre millimètres
        km² km2 kilomètre_carré kilomètres_carrés
        m² m2 mètre_carré mètres_carrés
        m³ m3 mètre_cube mètres_cubes
        kg kilogramme kilogrammes
        g gramme grammes
        mg milligramme milligrammes
        L l litre litres
        mL ml millilitre millilitres
        cl centilitre centilitres
        km/h kilomètre_heure kilomètres_heure
        m/s mètre_par_seconde mètres_par_seconde
        °C degré degrés
        °F degré_Fahrenheit degrés_Fahrenheit
        ° degré degrés
        min mn minute minutes
        s seconde secondes
        ms milliseconde millisecondes
        Mo/s mégaoctet_par_seconde mégaoctets_par_seconde
        To téraoctet téraoctets
        Go gigaoctet gigaoctets
        Mo mégaoctet mégaoctets
        Ko ko kilooctet kilooctets
        GHz gigahertz gigahertz
        MHz mégahertz mégahertz
        kHz kilohertz kilohertz
        Hz hertz hertz
        kWh kilowattheure kilowattheures
        kW kilowatt kilowatts
        MW mégawatt mégawatts
        W watt watts
        V volt volts
    """),
}
_SCALES = {
    "en": {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "bn": "billion"},
    "fr": {"k": "mille", "K": "mille", "M": "millions", "Md": "milliards", "Mds": "milliards"},
}
_FRACTIONS = {
    "en": {
        "1/2": "one half", "1/3": "one third", "2/3": "two thirds", "1/4": "one quarter",
        "3/4": "three quarters", "and": " and ", "half": "a half",
    },
    "fr": {
        "1/2": "un demi", "1/3": "un tiers", "2/3": "deux tiers", "1/4": "un quart",
        "3/4": "trois quarts", "and": " et ", "half": "demi",
    },
}  # fmt: skip
_SINGLE_SIGNS = str.maketrans({"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4"})

# Thousands are grouped by commas or by (narrow, no-break) spaces, decimals by point or comma.
_NUMBER = {
    "en": r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?",
    "fr": r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?:,\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d+(?:[.,]\d+)?",
}
_SCALE = {
    "en": r"thousand|million|billion|trillion|bn\b|[kKMm](?![\w²³/])",
    "fr": r"mille|millions?|milliards?|Mds?\b|[kKM](?=[€$£]|\b)",
}
_SIGN = r"US\$|[$€£¥]"
_CODE = r"USD|EUR|GBP|JPY|CHF"


def _compile(language: str) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    number, scale = _NUMBER[language], _SCALE[language]
    units = "|".join(sorted(map(re.escape, _UNITS[language]), key=len, reverse=True))
    before = r"(?<![\w.,])"
    amount = rf"(?P<number>{number})(?:\s?(?P<scale>{scale}))?"
    return (
        re.compile(rf"(?<!\w)(?P<sign>{_SIGN}|(?:{_CODE})\s)\s?{amount}(?![.,]?\d)"),
        re.compile(rf"{before}{amount}\s?(?P<sign>{_SIGN}|(?:{_CODE})\b)"),
        re.compile(rf"{before}(?P<number>{number})\s?(?P<unit>{units})(?![\w²³/°'’])"),
    )


_PATTERNS = {language: _compile(language) for language in _UNITS}
_FRACTION = re.compile(r"(?<![\w/.,])(?:(?P<whole>\d+)\s+)?(?P<part>[1-3]/[234])(?![\w/]|[.,]\d)")


def say_amounts(text: str, language: str) -> str:
    """Write out the signs of money, units and fractions; the numbers stay digits.

    Args:
        text: Any text.
        language: ``en`` or ``fr``.
    """
    before, after, measure = _PATTERNS[language]
    text = text.translate(_SINGLE_SIGNS)
    text = before.sub(lambda found: _price(found, language), text)
    text = after.sub(lambda found: _price(found, language), text)
    text = measure.sub(lambda found: _measure(found, language), text)
    return _FRACTION.sub(lambda found: _fraction(found, language), text)


def _price(found: re.Match[str], language: str) -> str:
    number, scale = found["number"], found["scale"]
    name = _MONEY[language][found["sign"].strip()]
    if scale:
        scale = _SCALES[language].get(scale, scale)
        link = " d'" if name.one[0] in "e" else " de "
        of = link if language == "fr" and scale.startswith("milli") else " "
        return f"{number} {scale}{of}{name.many}"
    whole, cents = number, ""
    mark = max(number.rfind("."), number.rfind(","))
    if mark >= 0 and len(number) - mark == 3:
        whole, cents = number[:mark], number[mark + 1 :]
    elif mark >= 0 and (language == "fr" or number[mark] == "."):
        # "$1.5": no cents, a decimal fraction.
        return f"{number} {name.many}"
    if language == "fr":
        whole = whole.replace(".", " ")
    spoken = f"{whole} {name.one if _is_one(whole, language) else name.many}"
    if not cents.strip("0"):
        return spoken
    small = _CENTS[language].get(name.one)
    if small and whole == "0":
        return f"{int(cents)} {small.one if int(cents) == 1 else small.many}"
    if language == "fr" or not small:
        return f"{spoken} {int(cents)}"
    return f"{spoken} and {int(cents)} {small.one if int(cents) == 1 else small.many}"


def _measure(found: re.Match[str], language: str) -> str:
    name = _UNITS[language][found["unit"]]
    one = _is_one(found["number"], language)
    return f"{found['number']} {name.one if one else name.many}"


def _is_one(number: str, language: str) -> bool:
    if language == "en":
        return number == "1"
    return number.replace(".", ",").partition(",")[0] in ("0", "1") and " " not in number


def _fraction(found: re.Match[str], language: str) -> str:
    names = _FRACTIONS[language]
    part = names.get(found["part"])
    if part is None:
        return found.group()
    if not found["whole"]:
        return part
    if found["part"] == "1/2":
        part = names["half"]
    return f"{found['whole']}{names['and']}{part}"
