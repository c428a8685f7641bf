"""Saying words to a stream, in frames."""

import numpy as np
from livekit import rtc
from livekit.agents import stt

from tests.conformance.kit import tones

PAUSE = 0.4
"""Seconds of silence after an utterance."""


def utter(
    stream: stt.RecognizeStream,
    text: str,
    *,
    rate: int = 16_000,
    channels: int = 1,
    frame_ms: int = 50,
    pause: float = PAUSE,
    flush: bool = True,
) -> None:
    """Say a text to a stream, faster than real time, then be silent and flush."""
    samples = np.concatenate([tones.speak(text, rate), silence(pause, rate)])
    push(stream, samples, rate=rate, channels=channels, frame_ms=frame_ms)
    if flush:
        stream.flush()


def push(
    stream: stt.RecognizeStream,
    samples: tones.Samples,
    *,
    rate: int = 16_000,
    channels: int = 1,
    frame_ms: int = 50,
) -> None:
    """Push audio to a stream, faster than real time."""
    for frame in frames(samples, rate=rate, channels=channels, frame_ms=frame_ms):
        stream.push_frame(frame)


def silence(seconds: float, rate: int = 16_000) -> tones.Samples:
    """Return silence."""
    return np.zeros(round(seconds * rate), np.float32)


def frames(
    samples: tones.Samples, *, rate: int = 16_000, channels: int = 1, frame_ms: int = 50
) -> list[rtc.AudioFrame]:
    """Return audio as frames of that length; several channels carry the same sound."""
    pcm = np.repeat(np.rint(samples * 32767).astype("<i2"), channels)
    size = rate * frame_ms // 1000
    return [
        rtc.AudioFrame(pcm[at : at + size * channels].tobytes(), rate, channels, count)
        for at in range(0, len(pcm), size * channels)
        if (count := len(pcm[at : at + size * channels]) // channels)
    ]
