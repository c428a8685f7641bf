"""Whisper without its weights: a model that answers as it is told, and a tokenizer of letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit.plugins.local.engine.device import Device
from livekit.plugins.local.engine.stt import prompts as prompts_module
from livekit.plugins.local.engine.stt import whisper as whisper_module
from livekit.plugins.local.engine.stt.base import Request
from livekit.plugins.local.engine.stt.whisper import WhisperRecogniser

CPU, GPU = Device("cpu", 0, "int8"), Device("cuda", 0, "float16")
LANGUAGES = ("en", "fr", "de")


class FakeTokenizer:
    """One token per character; prompts name the language."""

    eot, no_timestamps, sot_prev = 10_000, 10_001, 10_002

    def __init__(self, _: object, multilingual: bool, *, task: str, language: str) -> None:
        self.language_code = language
        self.sot_sequence = [20_000, 20_001 + LANGUAGES.index(language)]

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(chr(token) for token in tokens)

    def split_to_word_tokens(self, tokens: Sequence[int]) -> tuple[list[str], list[list[int]]]:
        words: list[list[int]] = []
        for token in tokens:
            if token == self.eot or token == ord(" ") or chr(token) in ",.'" or not words:
                words.append([])
            words[-1].append(token)
        return [self.decode([t for t in word if t != self.eot]) for word in words], words


@dataclass
class Answer:
    """What the fake says once."""

    text: str = " Hello."
    score: float = -0.3
    no_speech: float = 0.1


@dataclass
class FakeModel:
    """Answers in turn, and remembers what it was asked."""

    is_multilingual: bool = True
    answers: list[Answer] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=lambda: {"en": 0.9, "fr": 0.05, "de": 0.05})
    error: RuntimeError | None = None
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    detections: int = 0

    def encode(self, features: Any) -> Any:
        if self.error:
            raise self.error
        self.shapes.append(tuple(np.array(features).shape))
        return SimpleNamespace(shape=[len(np.array(features)), 750, 512])

    def detect_language(self, encoded: Any) -> list[list[tuple[str, float]]]:
        self.detections += 1
        scores = [(f"<|{code}|>", score) for code, score in self.scores.items()]
        return [scores] * encoded.shape[0]

    def generate(self, encoded: Any, prompts: list[list[int]], **options: Any) -> list[Any]:
        self.asked.append({"prompts": prompts, **options})
        answers = [self.answers.pop(0) if self.answers else Answer() for _ in prompts]
        return [
            SimpleNamespace(
                sequences_ids=[[ord(letter) for letter in answer.text]],
                scores=[answer.score],
                no_speech_prob=answer.no_speech,
            )
            for answer in answers
        ]


def fake_whisper(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    """Have the fake loaded instead of the real model and tokenizer."""
    model = FakeModel()

    def load(path: str, **_: Any) -> Any:
        if model.error:
            raise model.error
        features = lambda audio: np.zeros((80, len(audio) // 160 + 1), np.float32)  # noqa: E731
        return SimpleNamespace(model=model, feature_extractor=features, hf_tokenizer=None)

    monkeypatch.setattr(whisper_module, "WhisperModel", load)
    monkeypatch.setattr(prompts_module, "Tokenizer", FakeTokenizer)
    return model


def load(device: Device, **options: Any) -> WhisperRecogniser:
    """Load the fake."""
    return WhisperRecogniser(Path("model"), name="fake", device=device, threads=1, **options)


def load_unasked(fake: FakeModel) -> WhisperRecogniser:
    """Load the fake on a CPU; it does not remember what it was asked for that."""
    recogniser = load(CPU)
    fake.shapes.clear()
    fake.asked.clear()
    return recogniser


def speech(seconds: float, **options: Any) -> Request:
    """Return a request for so many seconds of English, unless the options say otherwise."""
    audio = np.zeros(int(seconds * 16_000), np.float32)
    defaults: dict[str, Any] = {"current": "en", "candidates": ("en",), "speech_seconds": seconds}
    return Request(audio, **{**defaults, **options})
