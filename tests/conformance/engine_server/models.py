"""A voice and an ear that speak in tones, and fail when they are told to."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from livekit.plugins.local.engine.stt.base import Samples as Heard
from livekit.plugins.local.engine.stt.base import Transcription, Word
from livekit.plugins.local.engine.stt.vad import WINDOW
from livekit.plugins.local.engine.tts.base import Cancellation, Samples, TTSEngine, Voiced
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
        sounds = (tones.tone(word, RATE) for word in tones.words_of(text))
        if voice == "slow":
            sounds = (np.concatenate([sound, sound * 0]) for sound in sounds)
        for piece in obeying(self._state, text, map(_bare, sounds), tones.WORD_SECONDS, cancel):
            yield piece.samples


class RealVoice:
    """An engine of the product, which also fails as the behaviour wants it."""

    def __init__(self, engine: TTSEngine, state: State) -> None:
        self.name = engine.name
        self.sample_rate = engine.sample_rate
        self.version = ""
        self._engine = engine
        self._state = state

    def voices(self) -> dict[str, frozenset[str]]:
        """Return the engine's."""
        return self._engine.voices()

    def load(self) -> None:
        """Load the engine."""
        self._engine.load()
        self.version = self._engine.version

    def synthesize(
        self, text: str, *, voice: str, language: str, speed: float, cancel: Cancellation
    ) -> Iterator[Voiced]:
        """Speak with the engine; a piece as long as a tone counts as a word."""
        spoken = self._engine.synthesize(
            text, voice=voice, language=language, speed=speed, cancel=cancel
        )
        with closing(pieces(spoken, round(tones.WORD_SECONDS * self.sample_rate))) as cut:
            yield from obeying(self._state, text, cut, tones.WORD_SECONDS, cancel)


def obeying(
    state: State,
    text: str,
    spoken: Iterator[Voiced],
    seconds: float,
    cancel: Cancellation,
) -> Iterator[Voiced]:
    """Yield what is spoken, word by word, as the behaviour wants it, and note it in the journal.

    Args:
        state: What the kit controls and reads.
        text: What is said.
        spoken: Its audio; a word, or what counts as one, at a time.
        seconds: How long a word takes to say.
        cancel: As of `TTSEngine.synthesize`.
    """
    # Held on to, so that a reset is noticed by those who still work for the case before.
    behaviour, journal, released = state.behaviour, state.journal, state.released
    journal.spoken.append(text)
    for at in count():
        if at == behaviour.fail_after_words and behaviour.voice_failures:
            behaviour.voice_failures -= 1
            raise EngineError("failed", "The kit's voice fails as it was told.", retryable=True)
        if at == behaviour.stall_after_words:
            # Cancelling ends this stall only: later replies of the case are to be spoken.
            while not cancel.cancelled and not released.wait(0.005):
                pass
        word = next(spoken, None)
        if word:
            # The one callback of the cancellation may be the engine's.
            due = time.monotonic() + behaviour.pace * seconds
            while (left := due - time.monotonic()) > 0 and not cancel.cancelled:
                if released.wait(min(left, 0.005)):
                    break
        if cancel.cancelled or released.is_set():
            journal.cancelled += 1
            return
        if word is None:
            return
        journal.words += 1
        yield word._replace(samples=behaviour.gain * word.samples)


def pieces(spoken: Iterator[Samples] | Iterator[Voiced], size: int) -> Generator[Voiced]:
    """Cut audio into pieces of that many samples, each with the phonemes that begin in it."""
    try:
        for chunk in spoken:
            samples, phonemes = chunk if isinstance(chunk, Voiced) else (chunk, ())
            rate = size / tones.WORD_SECONDS
            for at in range(0, len(samples), size):
                start, end = at / rate, (at + size) / rate
                here = [each.later(-start) for each in phonemes if start <= each.start < end]
                yield Voiced(samples[at : at + size], here)
    finally:
        # Here, in its own thread: a voice whose exchange runs a loop cannot be closed in another.
        if isinstance(spoken, Generator):
            spoken.close()


def _bare(samples: Samples) -> Voiced:
    return Voiced(samples, ())


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
