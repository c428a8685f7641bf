"""Sound on the call's clock: what a side said, as it left or as it arrived."""

import wave
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.caller.onset import FRAME, FRAME_SAMPLES, SAMPLE_RATE, Pcm

# Frames that come late by less than this were held up on their way to us, not in the sound.
_JITTER = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Mono sound and when it began.

    Attributes:
        pcm: Samples, shape ``(n,)``.
        origin: `time.perf_counter` at the first sample; 0 if there is none.
        rate: Samples per second.
    """

    pcm: Pcm
    origin: float
    rate: int = SAMPLE_RATE


@dataclass(slots=True, eq=False)
class Tape:
    """Frames of 10 ms in the order in which they came.

    Attributes:
        times: `time.perf_counter` at which each frame had left or arrived.
    """

    times: list[float] = field(default_factory=list)
    _frames: list[bytes] = field(default_factory=list)

    def append(self, pcm: bytes, at: float) -> None:
        """Add one frame: 480 samples, 16 bits."""
        self.times.append(at)
        self._frames.append(pcm)

    def cut(self, start: int, end: int) -> Pcm:
        """Return the sound of the frames from ``start`` up to, and not including, ``end``."""
        return np.frombuffer(b"".join(self._frames[max(start, 0) : end]), np.int16)

    def longest_gap(self) -> float:
        """Return the longest time between two frames, in seconds."""
        return float(np.diff(np.asarray(self.times)).max(initial=0.0))

    def recording(self) -> Recording:
        """Return it all as one piece; where nothing came for long, there is silence."""
        origin = self.times[0] - FRAME if self.times else 0.0
        pieces: list[bytes] = []
        length = 0
        for at, frame in zip(self.times, self._frames, strict=True):
            missing = round((at - FRAME - origin) / FRAME) - length
            if missing * FRAME > _JITTER:
                pieces.append(bytes(missing * FRAME_SAMPLES * 2))
                length += missing
            pieces.append(frame)
            length += 1
        return Recording(np.frombuffer(b"".join(pieces), np.int16), origin)


def write_wav(path: Path, *channels: Recording) -> None:
    """Write recordings as the channels of one 16-bit WAV, each starting at its own time.

    Raises:
        OSError: The file cannot be written.
    """
    origin = min((channel.origin for channel in channels if len(channel.pcm)), default=0.0)
    starts = [round(max(0.0, channel.origin - origin) * channel.rate) for channel in channels]
    length = max(at + len(channel.pcm) for at, channel in zip(starts, channels, strict=True))
    mixed = np.zeros((length, len(channels)), np.int16)
    for index, (at, channel) in enumerate(zip(starts, channels, strict=True)):
        mixed[at : at + len(channel.pcm), index] = channel.pcm
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(mixed.tobytes())
