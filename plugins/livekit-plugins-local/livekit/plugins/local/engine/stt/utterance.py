"""The audio of the utterance in progress, cut by voice activity."""

import numpy as np
from livekit.plugins.local.engine.stt.base import Samples
from livekit.plugins.local.engine.stt.vad import WINDOW, VoiceActivity
from livekit.plugins.local.protocol import STT_SAMPLE_RATE

# Voice activity is noticed a little late: audio kept from before it, and after its end.
_LEAD = STT_SAMPLE_RATE // 2
_TAIL = STT_SAMPLE_RATE // 4
# Where speech without a pause may be cut: the quietest tenth of a second of the last few seconds.
_CUT_SPAN = 4 * STT_SAMPLE_RATE
_CUT_WINDOW = STT_SAMPLE_RATE // 10


class Utterance:
    """Collects what was said since the last `take`; forgets silence.

    All positions are samples at 16 kHz since the stream began.
    """

    def __init__(self, vad: VoiceActivity) -> None:
        self._vad = vad
        self._audio = np.zeros(0, np.float32)
        self._origin = 0
        self._judged = 0
        self._first_speech = 0
        self._last_speech = 0
        self._cut: int | None = None
        self.speech = 0
        """Samples of speech so far; 0 means that nobody has spoken."""
        self.speaking = False
        """Whether the newest audio is speech."""

    @property
    def silence(self) -> float:
        """Seconds since the last speech."""
        return (self._judged - self._last_speech) / STT_SAMPLE_RATE

    @property
    def position(self) -> float:
        """How much audio was judged since the stream began, in seconds."""
        return self._judged / STT_SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Length of the audio that `audio` would return."""
        return (self._end - self._origin) / STT_SAMPLE_RATE if self.speech else 0.0

    @property
    def span(self) -> tuple[float, float]:
        """Start and end of the utterance, in seconds of the stream."""
        return self._origin / STT_SAMPLE_RATE, self._end / STT_SAMPLE_RATE

    @property
    def voiced(self) -> tuple[float, float]:
        """Start of the first and end of the last speech in it, in seconds of the stream."""
        start, end = self.span
        first, last = self._first_speech / STT_SAMPLE_RATE, self._last_speech / STT_SAMPLE_RATE
        return max(start, first), min(end, last)

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
                if not self.speech:
                    self._first_speech = self._judged - WINDOW
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
        # What follows a cut is speech too.
        self.speech = 0 if self._cut is None else len(self._audio)
        self._first_speech = self._origin
        self._cut = None

    def cut(self) -> None:
        """End the utterance in the middle of speech, where that does least harm.

        Between two words it is quieter than within them. The rest is left for the next utterance.
        """
        newest = self._audio[-_CUT_SPAN:].astype(np.float64)
        energy = np.cumsum(np.square(newest))
        windows = energy[_CUT_WINDOW:] - energy[:-_CUT_WINDOW]
        quietest = int(np.argmin(windows)) + _CUT_WINDOW // 2
        self._cut = self._origin + len(self._audio) - len(newest) + quietest

    @property
    def _end(self) -> int:
        if self._cut is not None:
            return self._cut
        newest = self._origin + len(self._audio)
        return newest if self.speaking else min(newest, self._last_speech + _TAIL)

    def _forget(self, samples: int) -> None:
        if samples > 0:
            self._audio = self._audio[samples:]
            self._origin += samples
