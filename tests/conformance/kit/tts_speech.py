"""What came out of a text-to-speech stream."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from livekit.agents import APIError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString

from tests.conformance.kit import tones
from tests.conformance.kit.ears import Ear


@dataclass
class Speech:
    """What came out of a stream.

    Attributes:
        audio: The framework's events, in order.
        error: How the stream ended, None if well.
        first: Seconds from the reading's start to the first audio, None without audio.
        took: Seconds until the end.
        ear: Reads the words in the audio.
    """

    audio: list[tts.SynthesizedAudio]
    error: BaseException | None
    first: float | None
    took: float
    ear: Ear = tones.hear

    @property
    def seconds(self) -> float:
        """Duration of the audio."""
        return sum(event.frame.duration for event in self.audio)

    @property
    def samples(self) -> tones.Samples:
        """The audio, mono."""
        if not self.audio:
            return np.zeros(0, np.float32)
        parts = [np.frombuffer(event.frame.data, np.int16) for event in self.audio]
        return np.concatenate(parts).astype(np.float32) / np.float32(32768)

    @property
    def rate(self) -> int:
        """Sample rate of the audio, in Hz."""
        return self.audio[0].frame.sample_rate if self.audio else 24_000

    @cached_property
    def words(self) -> list[str]:
        """The words in the audio."""
        return self.ear(self.samples, self.rate)

    @property
    def timed(self) -> list[TimedString]:
        """The timed transcripts that came with the audio, in order."""
        parts = [event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, []) for event in self.audio]
        return [text for part in parts for text in part]

    @property
    def silent(self) -> bool:
        """Whether there is nothing to be heard."""
        return not self.audio or float(np.abs(self.samples).max()) < 0.01


def api_error(speech: Speech) -> str:
    """Say what is wrong with how a stream failed, empty if it failed as it should."""
    if speech.error is None:
        return "the stream ended as if all were well"
    if not isinstance(speech.error, APIError):
        return f"{type(speech.error).__name__} came out: {speech.error}"
    return ""
