"""When a caller's words are shown while more of them are still to come."""

from livekit.plugins.local.engine.stt.agreement import Agreement

# Little speech is enough to show something; a new interim soon after the last one shows little new.
_FIRST_SECONDS = 0.32
# The newest is what the language model reads ahead: the older it is, the more words it lacks.
_PERIOD_SECONDS = 0.3
# So little speech is often not believed; a moment later there is enough of it.
_AGAIN_SECONDS = 0.1
# All calls' interims together may take this share of the model's time: a draft that runs cannot be
# stopped for the transcript that another caller waits for.
_SHARE = 0.4
_LONGEST_PERIOD = 4.0


class Interims:
    """Paces the interim transcripts of one stream, and keeps shown words in place."""

    def __init__(self) -> None:
        self._agreement = Agreement()
        self._period = _PERIOD_SECONDS
        self._again = True
        self._last: float | None = None

    @property
    def stable(self) -> str:
        """The words of the utterance that will be shown in every further interim."""
        return self._agreement.stable

    def due(self, speech: float, now: float) -> bool:
        """Whether it is time for another.

        Args:
            speech: Seconds of speech in the utterance so far.
            now: Position in the stream, in seconds.
        """
        if self._last is None:
            return speech >= _FIRST_SECONDS
        return now - self._last >= self._period

    def came_to_nothing(self) -> None:
        """Ask again soon, once in an utterance: there was nothing to show."""
        if self._again:
            self._again, self._period = False, _AGAIN_SECONDS

    def asked(self, now: float) -> None:
        """Note that an interim was asked for at a position in the stream."""
        self._last = now

    def answered(self, seconds: float, speaking: int = 1) -> None:
        """Adapt to how long the answer took.

        Args:
            seconds: How long, waiting included.
            speaking: How many callers speak now, this one included.
        """
        self._period = min(_LONGEST_PERIOD, max(_PERIOD_SECONDS, seconds * speaking / _SHARE))

    def dropped(self) -> None:
        """Ask less often: there was no time for the last one."""
        self._period = min(_LONGEST_PERIOD, 2 * self._period)

    def show(self, text: str) -> str:
        """Take the newest text of the utterance and return what to show."""
        return self._agreement.show(text)

    def start_over(self) -> None:
        """Begin the next utterance."""
        self._agreement = Agreement()
        self._again = True
        self._last = None
