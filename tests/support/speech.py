"""The voices of the tests' callers, and the ear that checks what the agent said."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import numpy as np
from faster_whisper import WhisperModel
from livekit import rtc
from livekit.plugins.local.engine.tts.base import Cancellation, EngineContext, TTSEngine, Voiced
from livekit.plugins.local.engine.tts.registry import build

RATE = 48_000
"""Rate of a caller's microphone, in Hz."""

CAPITALS = "Lisbon, Vienna, Paris, Rome, Madrid, Berlin, Warsaw, Oslo."
"""What answers to questions for capitals are about."""

_VOICES = {"en": ("kokoro", "am_michael"), "fr": ("kokoro", "ff_siwis")}


class Speaker:
    """Speaks with the project's own engines, without a running engine process."""

    def __init__(self, models: Callable[[str], Path]) -> None:
        self._models = models
        self._engines: dict[str, TTSEngine] = {}
        self._spoken: dict[tuple[str, str], np.ndarray] = {}

    def say(self, text: str, language: str) -> np.ndarray:
        """Return ``text``, spoken: int16 samples at 48 kHz, shape ``(samples,)``."""
        key = (text, language)
        if key not in self._spoken:
            self._spoken[key] = self._speak(text, language)
        return self._spoken[key]

    def _speak(self, text: str, language: str) -> np.ndarray:
        name, voice = _VOICES[language]
        if name not in self._engines:
            (self._engines[name],) = build([name], EngineContext(self._models, threads=2))
            self._engines[name].load()
        engine = self._engines[name]
        chunks = engine.synthesize(
            text, voice=voice, language=language, speed=1.0, cancel=Cancellation()
        )
        parts = [chunk.samples if isinstance(chunk, Voiced) else chunk for chunk in chunks]
        samples = (np.concatenate(parts).clip(-1, 1) * 32767).astype(np.int16)
        return resample(samples, engine.sample_rate, RATE)


class Transcriber:
    """Whisper as the judge of what was said, apart from the engine under test."""

    def __init__(self, models: Callable[[str], Path]) -> None:
        self._models = models

    @cached_property
    def _whisper(self) -> WhisperModel:
        path = str(self._models("whisper-base"))
        return WhisperModel(path, device="cpu", compute_type="int8", local_files_only=True)

    def transcribe(
        self, samples: np.ndarray, rate: int, language: str, *, about: str | None = None
    ) -> str:
        """Return the words in int16 ``samples``.

        Args:
            samples: Mono audio.
            rate: Its sample rate, in Hz.
            language: What is spoken.
            about: What is talked about, as a listener would know; a single name is hard to
                understand without.
        """
        audio = resample(samples, rate, 16_000).astype(np.float32) / 32768
        segments, _ = self._whisper.transcribe(
            audio, language=language, beam_size=5, initial_prompt=about
        )
        return " ".join(segment.text.strip() for segment in segments)


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Return int16 ``samples`` at another rate."""
    if rate == wanted:
        return samples
    resampler = rtc.AudioResampler(rate, wanted, quality=rtc.AudioResamplerQuality.HIGH)
    frames = resampler.push(bytearray(samples.astype("<i2").tobytes())) + resampler.flush()
    return np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])
