"""When the caller's speech ended, heard in the audio itself.

Voice activity detection says that speech is over only after it has been silent for a while, and
some windows late or early. What was loud last before it said so is known to 10 ms.
"""

from collections import deque
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


class SpeechEnd:
    """Listens to a call on the agent's side; times are seconds of the caller's choice of clock."""

    def __init__(self) -> None:
        self._levels: deque[tuple[float, float]] = deque(maxlen=round(_KEPT_SECONDS / FRAME))

    def hear(self, frame: rtc.AudioFrame, at: float) -> None:
        """Take mono audio that arrived, with its last sample, at ``at``."""
        levels = frame_levels(np.frombuffer(frame.data, np.int16), frame.sample_rate // 100)
        for index, level in enumerate(levels):
            self._levels.append((at - (len(levels) - 1 - index) * FRAME, float(level)))

    def before(self, at: float) -> float | None:
        """Return when speech ended that voice activity detection says, at ``at``, is over.

        Returns:
            When its last loud 10 ms had arrived; None if nothing stands out from the silence since.
        """
        heard = [each for each in self._levels if each[0] <= at]
        if len(heard) < _SILENT_FRAMES:
            return None
        silence = median(level for _, level in heard[-_SILENT_FRAMES:])
        threshold = max(OnsetConfig().threshold_dbfs, silence + _ABOVE_SILENCE_DB)
        return next((time for time, level in reversed(heard) if level > threshold), None)
