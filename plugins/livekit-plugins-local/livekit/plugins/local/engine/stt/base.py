"""What a recognition model is to the rest of the engine."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono audio at 16 kHz, float32 in [-1, 1], shape ``(samples,)``."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript.

    Attributes:
        text: The word with its punctuation.
        start: When it begins, in seconds since the audio did.
        end: When it ends.
        confidence: Mean probability of its tokens, in [0, 1].
    """

    text: str
    start: float
    end: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was heard in one utterance.

    Attributes:
        text: The words, possibly none.
        language: Two-letter code of the language they were decoded in.
        language_probability: How sure the detection was, 1.0 when nothing was detected.
        avg_logprob: Mean log probability per token, negative.
        no_speech_prob: How likely the model finds it that nobody spoke.
        words: The words and their times, when they were asked for.
    """

    text: str
    language: str
    language_probability: float = 1.0
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()

    @property
    def confidence(self) -> float:
        """Mean probability per token, in [0, 1]."""
        return float(np.exp(min(0.0, self.avg_logprob)))


@dataclass(frozen=True, slots=True)
class Request:
    """One utterance to recognise.

    Attributes:
        audio: At most 30 s.
        speech_seconds: How much of it is speech.
        current: Language to keep unless the audio clearly is another.
        candidates: Languages it may be; with one, nothing is detected.
        settled: ``current`` has been heard before and is given up only for good reasons.
        beam_size: Beam width, 1 for greedy search.
        draft: Nobody relies on the result: no second attempt when it looks wrong.
        keyterms: Names and words to expect.
        words: Whether the times of the words are wanted.
        wanted: Asked from the model's thread between two steps of the work, which may be given up
            when it is wanted no more.
    """

    audio: Samples
    speech_seconds: float
    current: str
    candidates: tuple[str, ...]
    settled: bool = False
    beam_size: int = 1
    draft: bool = False
    keyterms: tuple[str, ...] = ()
    words: bool = False
    wanted: Callable[[], bool] = lambda: True


class SpeechModel(Protocol):
    """A loaded recogniser; `transcribe` runs on a thread, one call at a time."""

    name: str

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        """Recognise one utterance.

        Args:
            audio: At most 30 s.
            current: Language to keep unless the audio clearly is another.
            candidates: Languages it may be; with one, nothing is detected.
            beam_size: Beam width, 1 for greedy search.

        Raises:
            EngineError: The model failed.
        """
        ...


@runtime_checkable
class BatchingModel(Protocol):
    """A recogniser that can do several utterances in one call, and everything in a `Request`."""

    name: str

    def batch_key(self, request: Request) -> Hashable:
        """Return what two requests must have in common to share a call."""
        ...

    def transcribe_batch(self, requests: Sequence[Request]) -> Sequence[Transcription | Exception]:
        """Recognise utterances with equal `batch_key`, in their order.

        Raises:
            EngineError: The model failed.
        """
        ...


@runtime_checkable
class LimitedModel(Protocol):
    """A recogniser that says which languages it knows.

    Attributes:
        languages: Their two-letter codes.
    """

    languages: frozenset[str]
