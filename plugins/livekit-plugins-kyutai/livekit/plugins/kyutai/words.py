"""Cutting a reply that is still being written into messages of whole words.

The server splits each message at white space and tokenises every word alone: "Hel" and "lo" would
be two words. A pause, ``<break time="0.5s"/>``, holds a space and must stay in one message, too.
"""

import re

BREAK_ECHO = "<break time="
"""How the server's word begins that stands for a pause."""

_BREAK = re.compile(r'<break\s+time="[0-9.]+s"\s*/>')
_LONGEST_BREAK = 40
_OPENING = "<break"
# Text for the eye; the model would try to say it.
_MARKUP = str.maketrans({"’": "'"} | dict.fromkeys("“”«»*_`"))
# French puts an unbreakable space before these; the server would take them for words.
_LOOSE_MARK = re.compile("[\u00a0\u202f]+(?=[?!;:…])")
# What ends a word: a pause, or white space outside of one; an unbreakable space does not.
_BOUNDARY = re.compile(f"{_BREAK.pattern}|[^\\S\u00a0\u202f]")
_MARKS = frozenset(".,;:!?…-–—")


class WordSplitter:
    """Takes text in pieces, cut anywhere, and returns it in messages of whole words."""

    def __init__(self) -> None:
        self._pending = ""
        self._spoke = False

    def push(self, piece: str) -> str:
        """Take a piece of text.

        Returns:
            What can be sent now, empty if that is nothing.
        """
        text = self._pending + piece
        at = _last_boundary(text)
        self._pending = text[at:]
        return self._speakable(text[:at])

    def flush(self) -> str:
        """Return what is left, now that no more text comes."""
        text, self._pending = self._pending, ""
        return self._speakable(text)

    def _speakable(self, text: str) -> str:
        """Return the words that the model can say, and the pauses between them."""
        parts = []
        last = 0
        for pause in _BREAK.finditer(text):
            parts += self._words(text[last : pause.start()])
            # A pause before the first word would only delay it.
            parts += [pause.group()] if self._spoke else []
            last = pause.end()
        parts += self._words(text[last:])
        return " ".join(parts)

    def _words(self, text: str) -> list[str]:
        words = []
        for word in _LOOSE_MARK.sub("", text).translate(_MARKUP).split():
            if any(letter.isalnum() for letter in word):
                self._spoke = True
            elif not (self._spoke and set(word) <= _MARKS):
                # Emoji, and marks with nothing before them.
                continue
            words.append(word)
        return words


def _last_boundary(text: str) -> int:
    """Return where the last complete word, or pause, of a text ends."""
    end = len(text)
    opening = text.rfind("<")
    if opening >= 0 and _may_become_break(text[opening:]):
        end = opening
    last = 0
    for found in _BOUNDARY.finditer(text, 0, end):
        last = found.end()
    return last


def _may_become_break(text: str) -> bool:
    if len(text) > _LONGEST_BREAK or ">" in text:
        return False
    return text.startswith(_OPENING) or _OPENING.startswith(text)
