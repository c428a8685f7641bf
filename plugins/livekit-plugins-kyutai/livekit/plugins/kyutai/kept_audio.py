"""The audio that is kept until it is transcribed: a new connection hears it again."""

from collections import deque

import numpy as np
from livekit.plugins.kyutai.messages import Samples

_BYTES = 2


class KeptAudio:
    """The audio since the last final transcript, and the flushes in it.

    Positions are samples since the stream began, of the audio alone.
    """

    def __init__(self) -> None:
        self._pcm = bytearray()
        self._start = 0
        self._flushes: deque[int] = deque()

    @property
    def start(self) -> int:
        """Where it begins."""
        return self._start

    @property
    def end(self) -> int:
        """Where it ends."""
        return self._start + len(self._pcm) // _BYTES

    @property
    def next_flush(self) -> int | None:
        """Position of the first flush that has not been answered."""
        return self._flushes[0] if self._flushes else None

    def add(self, pcm: bytes) -> None:
        """Keep audio, signed 16-bit little-endian."""
        self._pcm += pcm

    def flush(self) -> None:
        """Note a flush at the present end."""
        self._flushes.append(self.end)

    def flushed(self) -> None:
        """Forget the first flush: it is answered."""
        self._flushes.popleft()

    def read(self, start: int, end: int) -> Samples:
        """Return the audio between two positions, in [-1, 1], shape ``(samples,)``."""
        first, last = (_BYTES * (position - self._start) for position in (start, end))
        pcm = np.frombuffer(bytes(self._pcm[first:last]), "<i2")
        return pcm.astype(np.float32) / np.float32(32768)

    def forget(self, before: int) -> None:
        """Drop the audio before a position; what a flush under way stands for stays."""
        before = min(before, self.end, *self._flushes)
        if before > self._start:
            del self._pcm[: _BYTES * (before - self._start)]
            self._start = before
