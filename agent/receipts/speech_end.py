"""When the caller's speech ended, heard in the audio itself.

Voice activity detection says that speech is over only after it has been silent for a while, and
some windows late or early. What was loud last before it said so is known to 10 ms.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from statistics import median

import numpy as np
from livekit import rtc

from agent.caller.onset import FRAME, OnsetConfig, frame_levels

# As long as a pause before the word of voice activity detection may be.
_KEPT_SECONDS = 3.0
# Of that, what is certainly silence: the last of the detector's own.
_SILENT_FRAMES = 12
# What is louder than the silence by so much is still speech.
_ABOVE_SILENCE_DB = 8.0


@dataclass(frozen=True, slots=True)
class _Sound:
    """Mono audio in s16le, whose last sample arrived at ``at``."""

    at: float
    pcm: bytes
    rate: int

    def levels(self) -> Iterator[tuple[float, float]]:
        """Yield when each 10 ms of it had arrived, and their level in dBFS."""
        levels = frame_levels(np.frombuffer(self.pcm, np.int16), self.rate // 100)
        for left, level in zip(range(len(levels) - 1, -1, -1), levels, strict=True):
            yield self.at - left * FRAME, float(level)


class SpeechEnd:
    """Listens to a call on the agent's side; times are seconds of the caller's choice of clock."""

    def __init__(self) -> None:
        # Looked at once a turn; to do so whenever a frame comes took a tenth of a call's time.
        self._sounds: deque[_Sound] = deque()

    def hear(self, frame: rtc.AudioFrame, at: float) -> None:
        """Take mono audio that arrived, with its last sample, at ``at``."""
        self._sounds.append(_Sound(at, bytes(frame.data), frame.sample_rate))
        while self._sounds[0].at < at - _KEPT_SECONDS:
            self._sounds.popleft()

    def before(self, at: float) -> float | None:
        """Return when speech ended that voice activity detection says, at ``at``, is over.

        Returns:
            When its last loud 10 ms had arrived; None if nothing stands out from the silence since.
        """
        every = chain.from_iterable(sound.levels() for sound in self._sounds)
        heard = [each for each in every if each[0] <= at]
        if len(heard) < _SILENT_FRAMES:
            return None
        silence = median(level for _, level in heard[-_SILENT_FRAMES:])
        threshold = max(OnsetConfig().threshold_dbfs, silence + _ABOVE_SILENCE_DB)
        return next((time for time, level in reversed(heard) if level > threshold), None)
