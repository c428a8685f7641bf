"""When the framework asks for the final transcript.

A session flushes its STT stream after its VAD heard speech end: at once when the turn detector says
that the caller is done, and after half the longest endpointing delay, unless speech goes on, when
it says that the caller is not. Here the detector is always right: speech that will go on in the
same clip is not done. Its own time to think comes before the flush, and so counts for nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from livekit.agents import vad

UNSURE_SECONDS = 1.25
"""Half of the framework's longest endpointing delay with an audio turn detector (2.5 s)."""


class TurnEnd:
    """Asks for finals as a session would.

    Attributes:
        ends: How often the end of speech was heard.
        over: Whether the turn's last end was heard, and its final asked for.
    """

    def __init__(self, expected: int, ask: Callable[[], None]) -> None:
        """Prepare for one scene.

        Args:
            expected: How often the VAD will hear speech end in it.
            ask: Asks for the final transcript.
        """
        self.ends = 0
        self.over = False
        self._expected = expected
        self._ask = ask

    async def follow(self, events: AsyncIterator[vad.VADEvent]) -> None:
        """Listen to a VAD stream until it ends."""
        loop = asyncio.get_running_loop()
        unsure: asyncio.TimerHandle | None = None
        try:
            async for event in events:
                if event.type is vad.VADEventType.START_OF_SPEECH and unsure:
                    unsure.cancel()
                elif event.type is vad.VADEventType.END_OF_SPEECH:
                    self.ends += 1
                    self.over = self.ends >= self._expected
                    if self.over:
                        self._ask()
                    else:
                        wait = UNSURE_SECONDS - event.silence_duration
                        unsure = loop.call_later(max(0.0, wait), self._ask)
        finally:
            if unsure:
                unsure.cancel()
