"""Audio as engines make it, turned into the PCM that goes out."""

from collections.abc import Sequence

import numpy as np
from livekit import rtc
from livekit.plugins.local.engine.tts.base import Phoneme, Samples, Voiced
from numpy.typing import NDArray

_FRAME_SECONDS = 0.01
_SILENCE_DB = -48.0
# A reply is heard later by the silence before its first sound.
_BEFORE_SECONDS = 0.01
_AFTER_SECONDS = 0.05
# Kokoro and its pupils sound a phoneme so much earlier than its frames say: the lag at which
# sibilants and vowels fit the energy above 4 kHz and below 1 kHz best (50 to 65 ms, EN and FR).
_LEAD_SECONDS = 0.055


def trim_silence(samples: Samples, sample_rate: int) -> Samples:
    """Cut silence before speech down to 10 ms and after it down to 50 ms.

    Silence is what stays 48 dB below the loudest 10 ms.
    """
    return samples[_speech(samples, sample_rate)]


def voiced(
    samples: Samples, sample_rate: int, symbols: Sequence[str], frames: NDArray[np.float32]
) -> Voiced:
    """Trim the audio of Kokoro or a network taught by it, which told how long each symbol takes.

    Args:
        samples: The audio, shape ``(samples,)``.
        sample_rate: Its rate in Hz.
        symbols: What was said.
        frames: Duration of the silence before, of each symbol and of the silence after, in frames
            of any length, which together make up the audio; shape ``(symbols + 2,)``.
    """
    kept = _speech(samples, sample_rate)
    seconds = len(samples) / sample_rate / max(1.0, float(frames.sum()))
    begins = np.cumsum(frames) * seconds - kept.start / sample_rate - _LEAD_SECONDS
    edges = np.maximum(begins, 0.0).tolist()
    phonemes = map(Phoneme, symbols, edges, edges[1:])
    return Voiced(samples[kept], list(phonemes))


def _speech(samples: Samples, sample_rate: int) -> slice:
    """Return which samples are speech, with its margins."""
    frame = round(sample_rate * _FRAME_SECONDS)
    frames = len(samples) // frame
    if not frames:
        return slice(0, len(samples))
    energy = np.square(samples[: frames * frame].reshape(frames, frame)).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (_SILENCE_DB / 10))
    if not len(loud):
        return slice(0, len(samples))
    start = int(loud[0]) * frame - round(sample_rate * _BEFORE_SECONDS)
    end = (int(loud[-1]) + 1) * frame + round(sample_rate * _AFTER_SECONDS)
    return slice(max(0, start), min(len(samples), end))


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
