"""Words that stay: what successive interim transcripts agree on.

LocalAgreement-2 of Liu et al. 2020 (https://arxiv.org/abs/2005.11185) and Macháček et al. 2023
(https://arxiv.org/abs/2307.14743), on words: what two successive hypotheses begin with alike is
kept, whatever later ones say.
"""

import re

_NOT_IN_WORDS = re.compile(r"[^\w']+")


def plain(text: str) -> str:
    """Return a text without case and punctuation, to compare what was said."""
    return " ".join(_NOT_IN_WORDS.sub(" ", text.lower().replace("’", "'")).split())


class Agreement:
    """The interim transcripts of one utterance."""

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._last: list[str] = []

    @property
    def stable(self) -> str:
        """The words that will not change any more."""
        return " ".join(self._stable)

    def show(self, text: str) -> str:
        """Take the newest hypothesis and return what to show: stable words, then others of its."""
        words = text.split()
        for old, new in list(zip(self._last, words, strict=False))[len(self._stable) :]:
            if plain(old) != plain(new):
                break
            self._stable.append(new)
        self._last = words
        fresh = words[len(self._stable) :]
        # The newest word is often cut in its middle; alone it is better than nothing.
        return " ".join([*self._stable, *(fresh[:-1] or fresh)])
