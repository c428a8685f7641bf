"""Words, as they come, to a transcript with times."""

from livekit.agents import LanguageCode, stt
from livekit.agents.types import TimedString

_LONGEST = 1.0
"""Seconds; an end is reported when the next word begins, so a pause would count to the word."""
_TYPICAL = 0.4
"""Seconds that a word takes whose end is not known."""
_SHORTEST = 0.01
_MOST = 500
"""Words of one transcript; whoever speaks without a pause for longer gets several."""
_MOST_CHARACTERS = 20_000
"""The same, for a server that sends anything at all."""


class Transcript:
    """The words since the last final transcript; all times are seconds of the stream."""

    def __init__(self, language: str) -> None:
        """Args: language: Code of the language; the server does not name it."""
        self._language = LanguageCode(language)
        self._words: list[TimedString] = []
        self._characters = 0
        self._start = 0.0
        self._open = False
        self._floor = 0.0

    def __len__(self) -> int:
        return len(self._words)

    @property
    def start(self) -> float:
        """Where the first word begins."""
        return self._start

    @property
    def too_long(self) -> bool:
        """Whether it should end, pause or not."""
        return len(self._words) >= _MOST or self._characters >= _MOST_CHARACTERS

    def word(self, text: str, start: float) -> None:
        """Add a word.

        Args:
            text: The word.
            start: Where it begins, roughly.
        """
        # The end of the word before is not always reported.
        self.end_word(start)
        start = max(start, self._floor)
        if not self._words:
            self._start = start
        self._words.append(TimedString(text, start_time=start))
        self._characters += len(text)
        self._open = True

    def end_word(self, stop: float) -> None:
        """Note where the last word ended, if it is still open."""
        if self._open:
            self._open = False
            self._words[-1] = self._ended(stop, _LONGEST)
            self._floor = max(self._floor, _end(self._words[-1]))

    def data(self, until: float, *, timed: bool = True) -> stt.SpeechData:
        """Return the words so far.

        Args:
            until: Where the audio that was heard ends.
            timed: Whether to say when each word was said.
        """
        words = list(self._words)
        if self._open:
            words[-1] = self._ended(until, _TYPICAL)
        return stt.SpeechData(
            language=self._language,
            text=" ".join(words),
            start_time=self._start if words else 0.0,
            end_time=_end(words[-1]) if words else 0.0,
            words=words if timed else None,
        )

    def take(self, until: float) -> stt.SpeechData | None:
        """Return the words and begin anew; None if there are none.

        Args:
            until: As of `data`.
        """
        if not self._words:
            return None
        data = self.data(until)
        self._words.clear()
        self._characters = 0
        self._open = False
        self._floor = data.end_time
        return data

    def _ended(self, end: float, longest: float) -> TimedString:
        """Return the last word with an end."""
        word = self._words[-1]
        start = float(word.start_time or 0.0)
        end = max(start + _SHORTEST, min(end, start + longest))
        return TimedString(word, start_time=start, end_time=end)


def _end(word: TimedString) -> float:
    return float(word.end_time or 0.0)
