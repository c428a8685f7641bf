"""Which transcript was announced before the turn was over, and whether that was worth it.

Each announcement makes the framework ask the language model. One that says the same as the last
would only make it ask again.
"""

from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.stt.agreement import plain


class Preflight:
    """The announcement of one turn that still counts."""

    def __init__(self) -> None:
        self._text: str | None = None

    def announce(self, text: str) -> bool:
        """Return whether to announce ``text``; no, when an equal one still counts."""
        if not text or self._says(text):
            return False
        self._waste()
        metrics.PREFLIGHT.labels("sent").inc()
        self._text = text
        return True

    def shown(self, text: str) -> None:
        """Note an interim: with other words in it, the framework gives up the early answer."""
        if not self._says(text):
            self._waste()

    def final(self, text: str) -> str:
        """Note the final transcript and return it.

        When the words are those announced, so is the punctuation: another would make the
        framework ask again.
        """
        announced = self._text
        if announced is not None and self._says(text):
            metrics.PREFLIGHT.labels("kept").inc()
            text = announced
            self._text = None
        self._waste()
        return text

    def _says(self, text: str) -> bool:
        return self._text is not None and plain(self._text) == plain(text)

    def _waste(self) -> None:
        if self._text is not None:
            metrics.PREFLIGHT.labels("wasted").inc()
            self._text = None
