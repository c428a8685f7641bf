"""What the client must know of the models that hear: no server tells."""

from dataclasses import dataclass
from typing import Literal

STTModel = Literal["kyutai/stt-1b-en_fr", "kyutai/stt-2.6b-en"]


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """How a model behaves.

    Attributes:
        delay: Seconds of audio after a word until the model writes it.
        steps: Whether the server reports each step, with the probability of a pause.
        lead: Seconds of silence that the model wants before the first word.
    """

    delay: float
    steps: bool
    lead: float = 0.0


MODELS: dict[str, SpeechModel] = {
    "kyutai/stt-1b-en_fr": SpeechModel(delay=0.48, steps=True),
    "kyutai/stt-2.6b-en": SpeechModel(delay=2.56, steps=False, lead=1.0),
}
"""The published models by name."""
