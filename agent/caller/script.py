"""What the caller says: one WAV per turn, made fit for a 48 kHz microphone."""

import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from livekit import rtc

from agent.caller.onset import (
    FRAME_SAMPLES,
    SAMPLE_RATE,
    OnsetConfig,
    Pcm,
    Segment,
    find_speech,
    frame_levels,
)
from agent.errors import UserError

_RATES = range(8_000, 192_001)


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One turn of the caller.

    Attributes:
        pcm: Mono samples at 48 kHz, a whole number of 10 ms frames.
        speech: Where in it somebody speaks; never empty. What is before and after is silence.
    """

    pcm: Pcm
    speech: tuple[Segment, ...]

    @property
    def first_voiced(self) -> int:
        """Index of the first frame with speech."""
        return self.speech[0].start

    @property
    def last_voiced(self) -> int:
        """Index of the last frame with speech."""
        return self.speech[-1].end - 1


def load_script(paths: Iterable[Path], config: OnsetConfig) -> list[Utterance]:
    """Read the WAVs of a call.

    Raises:
        UserError: One cannot be read, is not PCM, or holds no speech.
    """
    return [_utterance(path, config) for path in paths]


def read_wav(path: Path) -> Pcm:
    """Read a PCM WAV (8 to 32 bits, any channels) as mono samples at 48 kHz.

    Raises:
        UserError: It cannot be read or is not such a file.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None
    except (wave.Error, EOFError) as error:
        raise UserError(
            f"{path} is not a PCM WAV ({str(error) or 'it is cut short'}); "
            "convert it, for example with `ffmpeg -i IN -c:a pcm_s16le OUT.wav`."
        ) from None
    if rate not in _RATES:
        raise UserError(f"{path} has {rate} samples per second; 8000 to 192000 can be spoken.")
    data = data[: len(data) - len(data) % (width * channels)]
    mono = _to_int16(data, width).reshape(-1, channels).mean(axis=1)
    return _resample(np.rint(mono).astype(np.int16), rate)


def _utterance(path: Path, config: OnsetConfig) -> Utterance:
    pcm = read_wav(path)
    pcm = np.pad(pcm, (0, -len(pcm) % FRAME_SAMPLES))
    speech = find_speech(frame_levels(pcm), config)
    if not speech:
        raise UserError(
            f"{path} holds no speech: nothing in it is louder than {config.threshold_dbfs:g} dBFS "
            f"for {config.min_run * 1000:g} ms."
        )
    return Utterance(pcm, tuple(speech))


def _to_int16(data: bytes, width: int) -> Pcm:
    """Keep the 16 most significant bits of each sample."""
    if width == 1:  # the only unsigned width
        return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) * 256
    raw = np.frombuffer(data, np.uint8).reshape(-1, width)
    return np.ascontiguousarray(raw[:, -2:]).view("<i2")[:, 0]


def _resample(pcm: Pcm, rate: int) -> Pcm:
    if rate == SAMPLE_RATE or not len(pcm):
        return pcm
    resampler = rtc.AudioResampler(rate, SAMPLE_RATE, quality=rtc.AudioResamplerQuality.HIGH)
    frames = resampler.push(bytearray(pcm.tobytes())) + resampler.flush()
    return np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])
