"""How complete a caller's words are, by the time that the session decides how long to wait.

The language model is asked as soon as the words are announced, before it is asked for an answer.
The final transcript waits for its verdict, which costs nothing: nothing but the wait for the end
of the turn begins with it.
"""

import asyncio
from collections.abc import Callable

from livekit.agents import stt

# The least wait in a pause is longer than what it takes from a final transcript to here.
_PATIENCE = 0.3

Judge = Callable[[str], asyncio.Task[float | None] | None]


class LastWords:
    """The words of one call's current turn.

    Attributes:
        completeness: How likely the last final transcript ends a sentence, in [0, 1]; None if
            nobody can tell.
    """

    def __init__(self, judge: Judge | None) -> None:
        """Begin with no words.

        Args:
            judge: Begins to judge a text; None when the language model's server cannot.
        """
        self.completeness: float | None = None
        self._judge = judge
        self._said: list[str] = []
        self._text = ""
        self._verdict: asyncio.Task[float | None] | None = None

    def begin(self, event: stt.SpeechEvent) -> bool:
        """Have a transcript with words judged, announced or final.

        Returns:
            Whether these words are new and being judged: a final transcript would hold up the
            answer to them, if they were not announced first.
        """
        if self._judge is None:
            return False
        text = " ".join([*self._said, event.alternatives[0].text])
        if text == self._text:
            return False
        self._text, self._verdict = text, self._judge(text)
        return self._verdict is not None

    async def conclude(self, event: stt.SpeechEvent) -> None:
        """Wait for the verdict on a final transcript, which was begun with."""
        self._said.append(event.alternatives[0].text)
        self.completeness = await self._told()

    def turn_over(self) -> None:
        """Forget the words: they have been answered."""
        self._said.clear()
        self._text, self._verdict = "", None

    async def _told(self) -> float | None:
        if self._verdict is None:
            return None
        await asyncio.wait({self._verdict}, timeout=_PATIENCE)
        told = self._verdict.done() and not self._verdict.cancelled()
        return self._verdict.result() if told else None
