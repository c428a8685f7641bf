"""Whisper on CTranslate2, with an encoder context sized to the utterance.

`faster_whisper.WhisperModel.transcribe` always encodes 30 s; calling the model underneath directly
encodes 15 s for an ordinary turn, which is 2.5 times faster at the same word error rate. Below 15 s
of context the base model starts to repeat itself, so that is the floor.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import Whisper, WhisperGenerationResult
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from livekit.plugins.local.engine.device import Device, explain_device_failure
from livekit.plugins.local.engine.stt.base import Samples, Transcription
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import STT_SAMPLE_RATE

# Encoder contexts in seconds; quantised so that equal shapes can share work.
_CONTEXTS = (15, 20, 30)
# Silence that must follow the speech inside the context; less makes the decoder loop.
_MARGIN_SECONDS = 2.56
# Detection is nearly always right from this much audio on; below it must be sure of itself.
_DETECT_SECONDS = 1.5
_DETECT_SURE = 0.8
# Speech has at most 5.4 tokens a second, so a decoder that wants more is looping.
_TOKENS_PER_SECOND = 6
_RETRY_LOGPROB = -1.0
_MAX_COMPRESSION = 2.4


class WhisperRecogniser:
    """A Whisper model loaded from a directory in CTranslate2 format."""

    def __init__(self, path: Path, *, name: str, device: Device, threads: int) -> None:
        """Load the model and run it once, so that the first caller does not wait for that.

        Raises:
            EngineError: The device failed or the directory is damaged.
        """
        self.name = name
        self._device = device
        try:
            loaded = WhisperModel(
                str(path),
                device=device.kind,
                device_index=device.index,
                compute_type=device.compute_type,
                cpu_threads=threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as error:
            failure = (
                explain_device_failure(error, device) if isinstance(error, RuntimeError) else None
            )
            raise failure or EngineError(
                "failed",
                f"The model {name} cannot be loaded ({error}); check its files with "
                "`eloquence models verify`.",
            ) from None
        self._model: Whisper = loaded.model
        self._features = loaded.feature_extractor
        self._vocabulary = loaded.hf_tokenizer
        self._tokenizers: dict[str, Tokenizer] = {}
        warm = np.zeros(STT_SAMPLE_RATE, np.float32)
        self.transcribe(warm, current="en", candidates=["en"], beam_size=1)

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        """Recognise one utterance; see `SpeechModel.transcribe`."""
        try:
            return self._transcribe(audio, current, candidates, beam_size)
        except RuntimeError as error:
            failure = explain_device_failure(error, self._device)
            raise failure or EngineError(
                "failed", f"The model {self.name} failed ({error}).", retryable=True
            ) from None

    def _transcribe(
        self, audio: Samples, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        seconds = len(audio) / STT_SAMPLE_RATE
        wanted = min(seconds + _MARGIN_SECONDS, _CONTEXTS[-1])
        context = next(size for size in _CONTEXTS if size >= wanted)
        encoded = self._encode(audio, context)
        language, probability = self._detect(encoded, seconds, current, candidates)
        result, looping = self._decode(encoded, seconds, language, beam_size)
        if looping and context < _CONTEXTS[-1]:
            # The full context costs more but seldom loops: worth it for the few that need it.
            encoded = self._encode(audio, _CONTEXTS[-1])
            result, _ = self._decode(encoded, seconds, language, beam_size)
        return Transcription(
            text=self._text(result, language),
            language=language,
            language_probability=probability,
            avg_logprob=result.scores[0],
            no_speech_prob=result.no_speech_prob,
        )

    def _encode(self, audio: Samples, context: int) -> StorageView:
        # Zeros before the spectrogram: the digital edge helps the decoder stop.
        padded = np.zeros(context * STT_SAMPLE_RATE, np.float32)
        usable = min(len(audio), len(padded))
        padded[:usable] = audio[:usable]
        features = self._features(padded)[:, : context * 100][np.newaxis]
        return self._model.encode(StorageView.from_array(np.ascontiguousarray(features)))

    def _detect(
        self, encoded: StorageView, seconds: float, current: str, candidates: Sequence[str]
    ) -> tuple[str, float]:
        if len(candidates) < 2 or not self._model.is_multilingual:
            return current, 1.0
        found = dict(self._model.detect_language(encoded)[0])
        scores = {code: found.get(f"<|{code}|>", 0.0) for code in candidates}
        best = max(scores, key=lambda code: scores[code])
        probability = scores[best] / (sum(scores.values()) or 1.0)
        if seconds >= _DETECT_SECONDS or probability >= _DETECT_SURE:
            return best, probability
        return current, probability

    def _decode(
        self, encoded: StorageView, seconds: float, language: str, beam_size: int
    ) -> tuple[WhisperGenerationResult, bool]:
        tokenizer = self._tokenizer(language)
        limit = 8 + round(_TOKENS_PER_SECOND * seconds)
        result = self._model.generate(
            encoded,
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps]],
            beam_size=beam_size,
            # CTranslate2 generates at most half of max_length.
            max_length=min(448, 2 * limit),
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        text = self._text(result, language)
        looping = (
            len(result.sequences_ids[0]) >= limit
            or _compression(text) > _MAX_COMPRESSION
            or result.scores[0] < _RETRY_LOGPROB
        )
        return result, looping

    def _text(self, result: WhisperGenerationResult, language: str) -> str:
        tokenizer = self._tokenizer(language)
        ids = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        return str(tokenizer.decode(ids)).strip()

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._vocabulary, self._model.is_multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0
