"""Sounds for ears that judge by loudness."""

import numpy as np
from livekit import rtc
from livekit.agents import stt

_RATE = 16_000


def sound(seconds: float, *, loud: bool = True) -> rtc.AudioFrame:
    """Return one frame of steady sound, or of silence."""
    samples = np.full(int(seconds * _RATE), 25_000 if loud else 0, np.int16)
    return rtc.AudioFrame(samples.tobytes(), _RATE, 1, len(samples))


def utterance(stream: stt.RecognizeStream, seconds: float) -> None:
    """Say something for so long, pause, and ask for the transcript."""
    for _ in range(round(seconds / 0.05)):
        stream.push_frame(sound(0.05))
    stream.push_frame(sound(0.3, loud=False))
    stream.flush()
