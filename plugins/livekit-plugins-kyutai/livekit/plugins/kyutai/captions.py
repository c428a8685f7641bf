"""The server's word times as the framework's timed transcripts."""

from livekit.agents.types import TimedString
from livekit.plugins.kyutai.messages import Spoken
from livekit.plugins.kyutai.words import BREAK_ECHO


class Captions:
    """Turns words with times into captions that run forward and end with the audio.

    The last word's end includes the model's delay and padding. Which one is the last shows only
    when the server closes, so each word is kept until something else comes.
    """

    def __init__(self) -> None:
        self._held: Spoken | None = None
        self._start = self._end = 0.0

    def add(self, word: Spoken) -> list[TimedString]:
        """Take a word, and return what can be shown now."""
        ready = self.release()
        if not word.text.startswith(BREAK_ECHO):
            self._held = word
        return ready

    def release(self, limit: float | None = None) -> list[TimedString]:
        """Return the word that was kept, if there is one.

        Args:
            limit: Length of the audio in seconds, when all of it has come.
        """
        word, self._held = self._held, None
        if word is None:
            return []
        start, stop = word.start, word.stop
        if limit is not None:
            start, stop = min(start, limit), min(stop, limit)
        self._start = max(self._start, start)
        self._end = max(self._end, stop, self._start)
        return [TimedString(f"{word.text} ", start_time=self._start, end_time=self._end)]
