"""Audio that the engine has not answered yet, kept for the case that the connection is lost."""

from collections import deque
from collections.abc import Iterator

from livekit.plugins.local.protocol import STT_SAMPLE_RATE

# Older audio than this is not part of any utterance that the engine still works on.
_LIMIT = 60 * STT_SAMPLE_RATE * 2


class UnansweredAudio:
    """The audio since the last answered flush, and the flushes in it."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._flushes: deque[tuple[int, int]] = deque()
        self._last_flush = 0

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return len(self._audio) / (2 * STT_SAMPLE_RATE)

    @property
    def flush_pending(self) -> bool:
        """Whether a flush has not been answered."""
        return bool(self._flushes)

    def add(self, pcm: bytes) -> None:
        """Remember audio that is about to be sent."""
        self._audio += pcm
        # With a flush under way the audio before it is needed whole.
        if len(self._audio) > _LIMIT and not self._flushes:
            del self._audio[: len(self._audio) - _LIMIT]

    def flush(self) -> int:
        """Note a flush at the present end of the audio and return its number."""
        self._last_flush += 1
        self._flushes.append((self._last_flush, len(self._audio)))
        return self._last_flush

    def answered(self, flush: int) -> None:
        """Forget the audio up to a flush that the engine has answered."""
        while self._flushes and self._flushes[0][0] <= flush:
            _, position = self._flushes.popleft()
            del self._audio[:position]
            self._flushes = deque((number, at - position) for number, at in self._flushes)

    def replay(self) -> Iterator[bytes | int]:
        """Yield audio and flush numbers in the order in which they were sent."""
        sent = 0
        for number, position in self._flushes:
            if position > sent:
                yield bytes(self._audio[sent:position])
            yield number
            sent = position
        if len(self._audio) > sent:
            yield bytes(self._audio[sent:])
