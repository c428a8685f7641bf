"""When somebody speaks, judged by level alone.

Sound is cut into frames of 10 ms. Speech starts with the first frame of a run of at least 60 ms
above −45 dBFS and lasts until it has been quieter for 200 ms; it ends with its last loud frame.
A click is thus no speech, but a burst shortly after speech is still part of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
FRAME = 0.010
FRAME_SAMPLES = 480
SILENCE_DBFS = -120.0

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class OnsetConfig:
    """What counts as speech.

    Attributes:
        threshold_dbfs: RMS level that a frame must exceed to be loud.
        min_run: Seconds of loud frames in a row that start speech.
        max_gap: Quiet shorter than this, in seconds, is part of the speech around it.
    """

    threshold_dbfs: float = -45.0
    min_run: float = 0.060
    max_gap: float = 0.200


@dataclass(frozen=True, slots=True)
class Segment:
    """Speech from frame ``start`` up to, and not including, frame ``end``."""

    start: int
    end: int


def frame_levels(pcm: Pcm, samples: int = FRAME_SAMPLES) -> NDArray[np.float64]:
    """Return the RMS level of each whole frame of ``pcm`` (mono), in dBFS.

    Args:
        pcm: Samples, shape ``(n,)``.
        samples: How many of them are 10 ms; by default at 48 kHz.
    """
    count = len(pcm) // samples
    frames = pcm[: count * samples].reshape(count, samples).astype(np.float64)
    rms = np.sqrt(np.mean(np.square(frames), axis=1)) / 32768.0
    levels: NDArray[np.float64] = 20.0 * np.log10(np.maximum(rms, 10 ** (SILENCE_DBFS / 20)))
    return levels


class SpeechDetector:
    """Finds speech in levels that come one at a time.

    Attributes:
        segments: The speech so far. The last segment grows while it goes on.
    """

    def __init__(self, config: OnsetConfig) -> None:
        self.segments: list[Segment] = []
        self._config = config
        self._min_run = round(config.min_run / FRAME)
        self._max_gap = round(config.max_gap / FRAME)
        self._frames = 0
        self._run = 0

    def push(self, level: float) -> None:
        """Take the level of the next frame, in dBFS."""
        self._frames += 1
        if level <= self._config.threshold_dbfs:
            self._run = 0
            return
        self._run += 1
        last = self.segments[-1] if self.segments else None
        if last and self._frames - 1 - last.end < self._max_gap:
            self.segments[-1] = Segment(last.start, self._frames)
        elif self._run >= self._min_run:
            self.segments.append(Segment(self._frames - self._run, self._frames))


def find_speech(levels: Iterable[float], config: OnsetConfig) -> list[Segment]:
    """Return the speech in ``levels``, one level per frame, in dBFS."""
    detector = SpeechDetector(config)
    for level in levels:
        detector.push(level)
    return detector.segments
