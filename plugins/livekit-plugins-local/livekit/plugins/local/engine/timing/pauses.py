"""Where a voice fell silent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FRAME_SECONDS = 0.01
_SILENCE_DB = -34.0
_SHORTEST_SECONDS = 0.09
"""Closed lips make no sound either, but not for so long."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence, in seconds from the beginning."""

    start: float
    end: float


def pauses(pcm: NDArray[np.int16], rate: int) -> list[Pause]:
    """Return the silences in speech, those at its edges included.

    Silence is what stays 34 dB below the loudest 10 ms for at least 90 ms.

    Args:
        pcm: Mono samples, shape ``(samples,)``.
        rate: Sample rate in Hz.
    """
    size = round(rate * _FRAME_SECONDS)
    frames = len(pcm) // size
    if not frames:
        return []
    power = np.square(pcm[: frames * size].reshape(frames, size).astype(np.float32)).mean(axis=1)
    quiet = power <= power.max() * 10 ** (_SILENCE_DB / 10)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    found = edges.reshape(-1, 2) * _FRAME_SECONDS
    length = len(pcm) / rate
    return [
        Pause(float(start), float(end))
        for start, end in found
        if end - start >= _SHORTEST_SECONDS or start == 0 or end >= length - _FRAME_SECONDS
    ]
