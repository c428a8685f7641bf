"""What a recognition model is to the rest of the engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Mono audio at 16 kHz, float32 in [-1, 1], shape ``(samples,)``."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was heard in one utterance.

    Attributes:
        text: The words, possibly none.
        language: Two-letter code of the language they were decoded in.
        language_probability: How sure the detection was, 1.0 when nothing was detected.
        avg_logprob: Mean log probability per token, negative.
        no_speech_prob: How likely the model finds it that nobody spoke.
    """

    text: str
    language: str
    language_probability: float = 1.0
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0

    @property
    def confidence(self) -> float:
        """Mean probability per token, in [0, 1]."""
        return float(np.exp(min(0.0, self.avg_logprob)))


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
