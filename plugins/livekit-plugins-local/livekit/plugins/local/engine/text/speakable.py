"""Removes from a text what cannot be spoken: Markdown, tags, emoji, control characters."""

import re
import unicodedata

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u20e3]"
    "\u200d?"
)
# Markdown and tags, in the order in which they are removed.
_MARKUP = (
    (re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)"), r"\1"),
    (re.compile(r"</?[A-Za-z][\w:-]*(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>"), " "),
    (re.compile(r"^[^\S\n]*(?:#{1,6}|>|[-*+])\s+", re.MULTILINE), ""),
    (re.compile(r"`+|~~+|\*+(?=\S)|(?<=\S)\*+|(?<!\w)_+|_+(?!\w)"), ""),
)
# Zero-width joiners stay: Persian and the Indic scripts spell with them.
_KEPT_FORMAT = "\u200c\u200d"


def speakable(text: str) -> str:
    """Return the text that a voice reads aloud, on one line, without surrounding white space."""
    text = _EMOJI.sub(" ", text)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return " ".join("".join(map(_clean, text)).split())


def is_speakable(text: str) -> bool:
    """Tell whether there is anything to say: a letter or a digit."""
    return any(map(str.isalnum, text))


def _clean(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category[0] == "C" and character not in _KEPT_FORMAT else character
