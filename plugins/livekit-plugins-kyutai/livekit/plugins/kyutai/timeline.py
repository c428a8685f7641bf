"""The time of words: the server counts the silence that we add, the stream does not."""

from livekit.plugins.kyutai.messages import SAMPLE_RATE


class Timeline:
    """Turns seconds of a connection's audio into seconds of the stream's.

    Attributes:
        sent: Samples that went to the server, silence of ours too.
    """

    def __init__(self, offset: float) -> None:
        """Begin a connection.

        Args:
            offset: Where in the stream its audio begins, in seconds.
        """
        self.sent = 0
        self._offset = offset
        self._gaps: list[tuple[int, int]] = []

    def audio(self, samples: int) -> None:
        """Note audio of the stream."""
        self.sent += samples

    def silence(self, samples: int) -> None:
        """Note silence of ours."""
        self._gaps.append((self.sent, samples))
        self.sent += samples

    def seconds(self, moment: float) -> float:
        """Return a moment in seconds of the stream.

        Args:
            moment: In seconds of the connection's audio.
        """
        at = moment * SAMPLE_RATE
        ours = sum(min(length, at - start) for start, length in self._gaps if at > start)
        return self._offset + (at - ours) / SAMPLE_RATE

    def settle(self) -> None:
        """All that is heard from now on lies behind the silence so far."""
        self._offset -= sum(length for _, length in self._gaps) / SAMPLE_RATE
        self._gaps.clear()
