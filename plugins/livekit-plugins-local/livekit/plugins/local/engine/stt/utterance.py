"""The audio of the utterance in progress, cut by voice activity."""

import numpy as np
from livekit.plugins.local.engine.stt.base import Samples
from livekit.plugins.local.engine.stt.vad import WINDOW, VoiceActivity
from livekit.plugins.local.protocol import STT_SAMPLE_RATE

# Voice activity is noticed a little late: audio kept from before it, and after its end.
_LEAD = STT_SAMPLE_RATE // 2
_TAIL = STT_SAMPLE_RATE // 4


class Utterance:
    """Collects what was said since the last `take`; forgets silence.

    All positions are samples at 16 kHz since the stream began.
    """

    def __init__(self, vad: VoiceActivity) -> None:
        self._vad = vad
        self._audio = np.zeros(0, np.float32)
        self._origin = 0
        self._judged = 0
        self._last_speech = 0
        self.speech = 0
        """Samples of speech so far; 0 means that nobody has spoken."""
        self.speaking = False
        """Whether the newest audio is speech."""

    @property
    def silence(self) -> float:
        """Seconds since the last speech."""
        return (self._judged - self._last_speech) / STT_SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Length of the audio that `audio` would return."""
        return (self._end - self._origin) / STT_SAMPLE_RATE if self.speech else 0.0

    @property
    def span(self) -> tuple[float, float]:
        """Start and end of the utterance, in seconds of the stream."""
        return self._origin / STT_SAMPLE_RATE, self._end / STT_SAMPLE_RATE

    @property
    def audio(self) -> Samples:
        """The utterance with a little of the silence around it."""
        return self._audio[: self._end - self._origin]

    def feed(self, samples: Samples) -> bool:
        """Add audio; return whether any of it was speech."""
        self._audio = np.concatenate([self._audio, samples])
        spoke = False
        for speaking in self._vad.process(samples):
            self._judged += WINDOW
            self.speaking = speaking
            if speaking:
                spoke = True
                self.speech += WINDOW
                self._last_speech = self._judged
        if not self.speech:
            self._forget(len(self._audio) - _LEAD)
        return spoke

    def take(self) -> None:
        """Begin the next utterance after what was heard so far.

        Audio that has already been transcribed is not kept, not even as a lead-in: its last word
        would be heard twice.
        """
        self._forget(self._end - self._origin if self.speech else 0)
        self.speech = 0

    @property
    def _end(self) -> int:
        newest = self._origin + len(self._audio)
        return newest if self.speaking else min(newest, self._last_speech + _TAIL)

    def _forget(self, samples: int) -> None:
        if samples > 0:
            self._audio = self._audio[samples:]
            self._origin += samples
