"""Turns text as it is written into text that a voice reads aloud.

What cannot be spoken goes: Markdown, tags, emoji, control characters. What is said otherwise than
it is written is written out.
"""

import re
import unicodedata

from livekit.plugins.local.engine.text.spoken_forms import spell_out

_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u20e3]"
    "\u200d?"
)
# Single spaces keep every search below linear in the length of the text.
_SPACES = re.compile(r"[^\S\n]+")
# Markdown and tags, in the order in which they are removed.
_MARKUP = (
    # The line that opens a code block names a language; those of a table, and rules, say nothing.
    (re.compile(r"^[^\S\n]*(?:`{3,}|~{3,})[^\S\n]*[\w+#.-]*[^\S\n]*$", re.MULTILINE), ""),
    (re.compile(r"^[^\S\n]*\|?(?:[^\S\n]*:?-{3,}:?[^\S\n]*\|?)+[^\S\n]*$", re.MULTILINE), ""),
    (re.compile(r"^[^\S\n]*\||\|[^\S\n]*$", re.MULTILINE), ""),
    (re.compile(r"[^\S\n]\|[^\S\n]"), ", "),
    (re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)?\)"), r"\1"),
    (re.compile(r"</?[A-Za-z][\w:-]*(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>"), " "),
    (re.compile(r"^[^\S\n]*(?:#{1,6}|>|[-*+])\s+", re.MULTILINE), ""),
    (re.compile(r"`+|~~+|\*+(?=\S)|(?<=\S)\*+|(?<!\w)_+|_+(?!\w)"), ""),
)
# Zero-width joiners stay: Persian and the Indic scripts spell with them.
_KEPT_FORMAT = "\u200c\u200d"


def speakable(text: str, language: str = "") -> str:
    """Return the text that a voice reads aloud, on one line, without surrounding white space.

    Args:
        text: Any text.
        language: Two-letter code; without it, dates, prices and the like stay as they are written.
    """
    text = _SPACES.sub(" ", _EMOJI.sub(" ", text))
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = " ".join("".join(map(_clean, text)).split())
    return " ".join(spell_out(text, language).split())


def is_speakable(text: str) -> bool:
    """Tell whether there is anything to say: a letter or a digit."""
    return any(map(str.isalnum, text))


def _clean(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category[0] == "C" and character not in _KEPT_FORMAT else character
