"""How complete a caller's words are, by the time that the session decides how long to wait.

The language model is told what is heard while it is said, and asked as soon as the words are
announced, before it is asked for an answer.
The final transcript waits for its verdict, which costs nothing: nothing but the wait for the end
of the turn begins with it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from livekit.agents import stt
from livekit.plugins.local.stt import HYPOTHESIS

_log = logging.getLogger(__name__)

# The least wait in a pause is longer than what it takes from a final transcript to here.
_PATIENCE = 0.3

_INTERIM = stt.SpeechEventType.INTERIM_TRANSCRIPT
_ANNOUNCED = stt.SpeechEventType.PREFLIGHT_TRANSCRIPT
_FINAL = stt.SpeechEventType.FINAL_TRANSCRIPT

Judge = Callable[[str], asyncio.Task[float | None] | None]
Hear = Callable[[str], None]


def is_understood(event: stt.SpeechEvent) -> bool:
    """Return whether an event has words that the recogniser stands by."""
    said = event.alternatives[0].text if event.alternatives else ""
    return bool(said) and event.type in (_ANNOUNCED, _FINAL)


class LastWords:
    """The words of one call's current turn.

    Attributes:
        completeness: How likely the last final transcript ends a sentence, in [0, 1]; None if
            nobody can tell.
    """

    def __init__(self, judge: Judge | None, hear: Hear | None = None) -> None:
        """Begin with no words.

        Args:
            judge: Begins to judge a text; None when the language model's server cannot.
            hear: Takes all that was said in this turn so far, while it is being said.
        """
        self.completeness: float | None = None
        self._judge = judge
        self._hear = hear
        self._said: list[str] = []
        self._text = ""
        self._verdict: asyncio.Task[float | None] | None = None

    def interim(self, event: stt.SpeechEvent) -> None:
        """Take an event of the recogniser, which may be about words that can change yet."""
        if self._hear and event.type is _INTERIM and event.alternatives:
            data = event.alternatives[0]
            # Our own recogniser says more than is shown.
            hypothesis = (data.metadata or {}).get(HYPOTHESIS, data.text)
            self._hear(" ".join([*self._said, str(hypothesis)]))

    async def weigh(self, event: stt.SpeechEvent) -> AsyncGenerator[stt.SpeechEvent, None]:
        """Pass an event of the recogniser on, a final transcript when there is a verdict on it."""
        if self._judge and is_understood(event):
            new = self._begin(event.alternatives[0].text)
            if event.type is _FINAL:
                if new and self._verdict:
                    # The framework asks for an answer on it, which so is not held up.
                    yield replace(event, type=_ANNOUNCED)
                self._said.append(event.alternatives[0].text)
                self.completeness = await self._told()
        yield event

    def turn_over(self) -> None:
        """Forget the words: they have been answered."""
        self._said.clear()
        self._text, self._verdict = "", None

    def _begin(self, words: str) -> bool:
        """Have words judged that come next in this turn; return whether they are new."""
        text = " ".join([*self._said, words])
        if self._judge is None or text == self._text:
            return False
        self._text, self._verdict = text, self._judge(text)
        return True

    async def _told(self) -> float | None:
        verdict = self._verdict  # the turn may be over before it is there
        if verdict is None:
            return None
        await asyncio.wait({verdict}, timeout=_PATIENCE)
        if not verdict.done() or verdict.cancelled():
            return None
        # Whatever was wrong with it: an exception here would make the agent deaf.
        if error := verdict.exception():
            _log.error("what was said could not be judged", exc_info=error)
            return None
        return verdict.result()
