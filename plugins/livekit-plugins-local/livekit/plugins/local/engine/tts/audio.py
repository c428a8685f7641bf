"""Audio as engines make it, turned into the PCM that goes out."""

import numpy as np
from livekit import rtc
from livekit.plugins.local.engine.tts.base import Samples

_FRAME_SECONDS = 0.01
_SILENCE_DB = -48.0
_MARGIN_SECONDS = 0.05


def trim_silence(samples: Samples, sample_rate: int) -> Samples:
    """Cut silence before and after speech down to 50 ms.

    Silence is what stays 48 dB below the loudest 10 ms.
    """
    frame = round(sample_rate * _FRAME_SECONDS)
    frames = len(samples) // frame
    if not frames:
        return samples
    energy = np.square(samples[: frames * frame].reshape(frames, frame)).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (_SILENCE_DB / 10))
    if not len(loud):
        return samples
    margin = round(sample_rate * _MARGIN_SECONDS)
    start = max(0, int(loud[0]) * frame - margin)
    return samples[start : (int(loud[-1]) + 1) * frame + margin]


def silence(seconds: float, sample_rate: int) -> Samples:
    """Return that much silence."""
    return np.zeros(round(seconds * sample_rate), np.float32)


class PcmEncoder:
    """Turns float audio of any rate into signed 16-bit little-endian PCM, chunk by chunk.

    Args:
        input_rate: Rate of the chunks, in Hz.
        output_rate: Rate of the PCM, in Hz.
    """

    def __init__(self, input_rate: int, output_rate: int) -> None:
        self._resampler = (
            rtc.AudioResampler(input_rate, output_rate, quality=rtc.AudioResamplerQuality.HIGH)
            if input_rate != output_rate
            else None
        )

    def encode(self, samples: Samples) -> bytes:
        """Return the PCM of the next chunk; what is too loud is clipped."""
        pcm: bytes = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        if self._resampler is None or not pcm:
            return pcm
        return b"".join(bytes(frame.data) for frame in self._resampler.push(bytearray(pcm)))

    def finish(self) -> bytes:
        """Return what the resampler still holds."""
        if self._resampler is None:
            return b""
        return b"".join(bytes(frame.data) for frame in self._resampler.flush())
