"""A clip as a caller's microphone would deliver it: in a room that is never digitally silent."""

from dataclasses import dataclass

import numpy as np

from agent.bench.corpus import RATE, Recording
from agent.caller.onset import Pcm

LEAD_SECONDS = 0.6
TAIL_SECONDS = 2.0
_TONE_RMS = 10 ** (-65 / 20) * 32768


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is played for one clip.

    Attributes:
        pcm: Room tone, the clip, room tone: int16 samples at 16 kHz.
        speech_start: Seconds into it at which somebody begins to speak.
        speech_end: Seconds into it at which the last word ends.
    """

    pcm: Pcm
    speech_start: float
    speech_end: float

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return len(self.pcm) / RATE


def stage(recording: Recording) -> Scene:
    """Put 0.6 s of room tone before a recording and 2 s after it."""
    pcm = np.concatenate([room_tone(LEAD_SECONDS), recording.pcm, room_tone(TAIL_SECONDS)])
    return Scene(pcm, LEAD_SECONDS + recording.speech_start, LEAD_SECONDS + recording.speech_end)


def room_tone(seconds: float) -> Pcm:
    """Return faint noise at −65 dBFS, the same every time."""
    noise = np.random.default_rng(1).normal(0, _TONE_RMS, round(seconds * RATE))
    return np.asarray(np.rint(noise), np.int16)
