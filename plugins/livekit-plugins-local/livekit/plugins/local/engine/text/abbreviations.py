"""Abbreviations: stops that do not end a sentence, and what is said in their place."""

import re

# Always followed by what they introduce, so that their stop never ends a sentence. Those with a
# capital need it: "5 mm." may well be the end.
_INTRODUCING = {
    "en": " Capt Col Dr Gen Gov Hon Lt Messrs Mr Mrs Ms Prof Rep Rev Sen Sgt St esp viz vs ",
    "es": " dr dra sr sra srta ud uds ",
    "fr": " Dr MM Me Mgr Mlle Mlles Mme Mmes Pr St Ste apr av c.-à-d cf chap env ex vs ",
    "it": " arch avv dott dr ing prof sig sigg ",
    "pt": " dr dra prof profa sr sra ",
}
# The same, but only in front of a number: "No. 5", "p. 12", "Jan. 3".
_NUMBERING = (
    " apr art aug ch dec eq feb fig jan janv juil jul jun mar no nos nov oct p pp sec sept tél vol "
)
_FINAL_DOTTED = ("a.m", "p.m")

_WORD = re.compile(r"[\w.’'-]*$")
_DOTTED = re.compile(r"(?:\w\.-?)+\w")


def is_abbreviation(before: str, following: str, language: str) -> bool:
    """Tell whether a full stop belongs to an abbreviation that goes on.

    Args:
        before: The text up to the stop, without it.
        following: The first character after the stop that is not a space.
        language: Two-letter code.
    """
    match = _WORD.search(before)
    word = match.group() if match else ""
    lowered = word.lower()
    if len(word) == 1 and word.isupper():
        # An initial; but "So do I. Then" is not one.
        return not (word == "I" and language == "en")
    if _DOTTED.fullmatch(word):
        return lowered not in _FINAL_DOTTED
    if f" {lowered} " in _NUMBERING and following.isdigit():
        return True
    introducing = _INTRODUCING.get(language, "")
    return f" {word} " in introducing or f" {lowered} " in introducing


# What voices spell or stumble over; what is written the same but said otherwise is not here.
_EXPANDED = {
    "en": (
        (r"\be\.\s?g\.(?:,)?(?=\s)", "for example,"),
        (r"\bi\.\s?e\.(?:,)?(?=\s)", "that is,"),
        (r"\b[Nn]o\.\s(?=\d)|№\s?(?=\d)|\bn°\s?(?=\d)", "number "),
        (r"\bvs\.?(?=\s)", "versus"),
        (r"\bapprox\.(?=\s)", "approximately"),
        (r"\bw/o(?=\s)", "without"),
        (r"\betc\.(?=\s*[,)a-z])", "et cetera"),
    ),
    "fr": (
        (r"\bp\.\s?ex\.(?=\s|,)", "par exemple"),
        (r"\bc\.?-à-d\.?(?=\s|,)", "c'est-à-dire"),
        (r"\b[Nn](?:°|º|o\.)\s?(?=\d)|№\s?(?=\d)", "numéro "),
        (r"\bav\.\s?J\.?-C\.?", "avant Jésus-Christ"),
        (r"\bapr?\.\s?J\.?-C\.?", "après Jésus-Christ"),
        (r"\bM\.\s(?=[A-ZÀ-Ý])", "monsieur "),
        (r"\bMM\.\s(?=[A-ZÀ-Ý])", "messieurs "),
        (r"\bMmes\s(?=[A-ZÀ-Ý])", "mesdames "),
        (r"\bMme\.?\s(?=[A-ZÀ-Ý])", "madame "),
        (r"\bMlle\.?\s(?=[A-ZÀ-Ý])", "mademoiselle "),
        (r"\bDr\.?\s(?=[A-ZÀ-Ý])", "docteur "),
        (r"\bPr\.?\s(?=[A-ZÀ-Ý])", "professeur "),
        (r"\benv\.\s(?=\d)", "environ "),
        (r"\btél\.(?=\s)", "téléphone"),
        (r"\bRDV\b|\brdv\b", "rendez-vous"),
        (r"\bSVP\b|\bsvp\b", "s'il vous plaît"),
    ),
}
_PATTERNS = {
    language: [(re.compile(pattern), name) for pattern, name in entries]
    for language, entries in _EXPANDED.items()
}


def expand(text: str, language: str) -> str:
    """Write out abbreviations that voices would spell.

    Args:
        text: Any text.
        language: Two-letter code; only English and French ones are known.
    """
    for pattern, name in _PATTERNS.get(language, ()):
        text = pattern.sub(name, text)
    return text


def drop_stops(text: str, language: str) -> str:
    """Remove the stops of abbreviations, at which a voice would pause: ``Dr. Who`` → ``Dr Who``."""

    def replace(match: re.Match[str]) -> str:
        before = text[max(0, match.start() - 40) : match.start()]
        return "" if is_abbreviation(before, match["next"], language) else "."

    return re.sub(r"\.(?=\s+(?P<next>\w))", replace, text)
