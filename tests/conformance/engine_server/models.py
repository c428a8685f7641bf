"""A voice and an ear that speak in tones, and fail when they are told to."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from livekit.plugins.local.engine.stt.base import Samples as Heard
from livekit.plugins.local.engine.stt.base import Transcription, Word
from livekit.plugins.local.engine.stt.vad import WINDOW
from livekit.plugins.local.engine.tts.base import Cancellation, Samples
from livekit.plugins.local.errors import EngineError

from tests.conformance.kit import tones
from tests.conformance.kit.backend import Behaviour, Journal

RATE = 24_000


@dataclass
class State:
    """What the kit controls and reads.

    Attributes:
        released: Set to let everything that stalls go on.
    """

    behaviour: Behaviour = field(default_factory=Behaviour)
    journal: Journal = field(default_factory=Journal)
    released: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Begin anew; stalled work ends."""
        self.released.set()
        self.released = threading.Event()
        self.behaviour = Behaviour()
        self.journal = Journal()


class ToneVoice:
    """A voice engine for the registry's interface; a chunk of audio per word."""

    name = "tone"
    sample_rate = RATE
    version = "1"

    def __init__(self, state: State) -> None:
        self._state = state

    def voices(self) -> dict[str, frozenset[str]]:
        """Return its two voices; the second speaks half as fast."""
        return {"a": frozenset({"en", "fr"}), "slow": frozenset({"en", "fr"})}

    def load(self) -> None:
        """There is nothing to load."""

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Samples]:
        """Say the words one by one, as the behaviour wants it."""
        state = self._state
        # Held on to, so that a reset is noticed by those who still work for the case before.
        behaviour, journal, released = state.behaviour, state.journal, state.released
        journal.spoken.append(text)
        for at, word in enumerate(tones.words_of(text)):
            if at == behaviour.fail_after_words and behaviour.voice_failures:
                behaviour.voice_failures -= 1
                raise EngineError("failed", "The kit's voice fails as it was told.", retryable=True)
            if at == behaviour.stall_after_words:
                # Cancelling ends this stall only: later replies of the case are to be spoken.
                while not cancel.cancelled and not released.wait(0.005):
                    pass
            if behaviour.pace:
                wake = threading.Event()
                with cancel.calling(wake.set):
                    wake.wait(behaviour.pace * tones.WORD_SECONDS)
            if cancel.cancelled or released.is_set():
                journal.cancelled += 1
                return
            journal.words += 1
            sound = behaviour.gain * tones.tone(word, RATE)
            yield np.concatenate([sound, sound * 0]) if voice == "slow" else sound


class ToneEar:
    """A recogniser that reads tones."""

    name = "tones"

    def __init__(self, state: State) -> None:
        self._state = state

    def transcribe(
        self, audio: Heard, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        """Return the words, as the behaviour wants it."""
        state = self._state
        behaviour, journal, released = state.behaviour, state.journal, state.released
        journal.decodes += 1
        if behaviour.ear_stalls:
            released.wait()
        released.wait(behaviour.ear_seconds)
        if behaviour.ear_failures:
            behaviour.ear_failures -= 1
            raise EngineError("failed", "The kit's ear fails as it was told.", retryable=True)
        words = tuple(
            Word(word, start, end, confidence=1.0)
            for word, start, end in tones.hear_timed(audio, 16_000)
        )
        text = " ".join(word.text for word in words)
        journal.heard.append(text)
        return Transcription(text=text, language=current, words=words)


class LoudnessActivity:
    """Voice activity by loudness, since tones are no speech to Silero."""

    def __init__(self, state: State) -> None:
        self._journal = state.journal
        self._pending = np.zeros(0, np.float32)

    def process(self, audio: Heard) -> list[bool]:
        """Judge each complete window, as `VoiceActivity.process` does."""
        self._journal.listened += len(audio) / 16_000
        audio = np.concatenate([self._pending, audio])
        whole = len(audio) - len(audio) % WINDOW
        self._pending = audio[whole:].copy()
        windows = audio[:whole].reshape(-1, WINDOW)
        return [bool(loud) for loud in np.abs(windows).max(axis=1, initial=0) > 0.2]
