"""Whisper on CTranslate2, with an encoder context sized to the utterance.

`faster_whisper.WhisperModel.transcribe` always encodes 30 s; calling the model underneath directly
encodes 10 s for an ordinary turn, which is four times faster at the same word error rate. With less
context the base model starts to repeat itself, so that is the floor; drafts may go lower.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import Whisper, WhisperGenerationResult
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import _LANGUAGE_CODES
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.config import EncoderContext
from livekit.plugins.local.engine.device import Device, explain_device_failure
from livekit.plugins.local.engine.stt.base import Request, Samples, Transcription
from livekit.plugins.local.engine.stt.guards import no_speech, phantom
from livekit.plugins.local.engine.stt.language import Choice, choose, evidence
from livekit.plugins.local.engine.stt.looping import (
    compression,
    repeats,
    said_once,
    token_limit,
)
from livekit.plugins.local.engine.stt.prompts import MAX_LENGTH, Prompts
from livekit.plugins.local.engine.stt.spectrogram import spectrogram
from livekit.plugins.local.engine.stt.words import align
from livekit.plugins.local.errors import EngineError, engine_error
from livekit.plugins.local.failures import Code
from livekit.plugins.local.models.own import is_own
from livekit.plugins.local.protocol import STT_SAMPLE_RATE

if TYPE_CHECKING:
    from livekit.plugins.local.engine.stt.registry import ModelContext

# Encoder contexts in seconds; quantised so that equal shapes can share work.
_CONTEXTS = (10, 11, 12, 13, 14, 15, 20, 25, 30)
_DRAFT_CONTEXTS = (8, *_CONTEXTS)
_FULL = 30
# With so much of it, the base model hardly ever repeats itself.
_CALM = 15
# Silence that must follow the speech inside the context; less makes the decoder loop.
_MARGIN_SECONDS = 2.56
_MAX_COMPRESSION = 2.4
# As long as nearly every utterance is at most.
_WARM_SECONDS = 12


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What the decoder made of one utterance."""

    heard: Transcription
    tokens: list[int]
    looping: bool


class WhisperRecogniser:
    """A Whisper model loaded from a directory in CTranslate2 format."""

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        device: Device,
        threads: int,
        encoder_context: EncoderContext = "auto",
        batch: int = 1,
    ) -> None:
        """Load the model and run it once, so that the first caller does not wait for that.

        Args:
            path: The model's directory.
            name: Its name in metrics and messages.
            device: Where it runs.
            threads: Threads per inference, on a CPU.
            encoder_context: ``auto`` encodes little more than the utterance on a CPU, and 30 s on
                a GPU, where that costs little; ``full`` always 30 s.
            batch: How many utterances may share a call.

        Raises:
            EngineError: The device failed or the directory is damaged.
        """
        self.name = name
        self._path = path
        self._device = device
        self._threads = threads
        self._batch = batch
        short = encoder_context == "auto" and device.kind == "cpu"
        self._contexts = _CONTEXTS if short else (_FULL,)
        self._draft_contexts = _DRAFT_CONTEXTS if short else (_FULL,)
        self.reload()

    def reload(self) -> None:
        """Load the model anew, after it hung or lost its device.

        Raises:
            EngineError: The device failed or the directory is damaged.
        """
        device = self._device
        try:
            loaded = WhisperModel(
                str(self._path),
                device=device.kind,
                device_index=device.index,
                compute_type=device.compute_type,
                cpu_threads=self._threads,
                local_files_only=True,
            )
        except Exception as error:  # noqa: BLE001 - the library of the vocabulary has no other
            failure = explain_device_failure(error, device)
            code: Code = "wrong_format" if is_own(self.name) else "corrupt"
            raise failure or engine_error(code, model=self.name, reason=error) from None
        self._model: Whisper = loaded.model
        self._features = loaded.feature_extractor
        self.languages = frozenset(_LANGUAGE_CODES if self._model.is_multilingual else ("en",))
        self._prompts = Prompts(loaded.hf_tokenizer, multilingual=self._model.is_multilingual)
        # A batch, so that memory is claimed now and does not grow with the number of calls.
        silence = np.zeros(_WARM_SECONDS * STT_SAMPLE_RATE, np.float32)
        self.transcribe_batch([Request(silence, 0.0, "en", ("en",), beam_size=2)] * self._batch)

    def transcribe(
        self, audio: Samples, *, current: str, candidates: Sequence[str], beam_size: int
    ) -> Transcription:
        """Recognise one utterance; see `SpeechModel.transcribe`."""
        seconds = len(audio) / STT_SAMPLE_RATE
        request = Request(audio, seconds, current, tuple(candidates), beam_size=beam_size)
        return self.transcribe_batch([request])[0]

    def batch_key(self, request: Request) -> Hashable:
        """See `BatchingModel.batch_key`: one call has one shape, one search, one prompt length."""
        if request.words:
            return object()  # the aligner takes one utterance
        hints = len(self._prompts.hints(request.keyterms))
        return self._context(request), request.beam_size, request.draft, hints

    def transcribe_batch(self, requests: Sequence[Request]) -> list[Transcription]:
        """See `BatchingModel.transcribe_batch`."""
        try:
            return self._transcribe(requests)
        except RuntimeError as error:
            failure = explain_device_failure(error, self._device)
            raise failure or EngineError(
                "failed", f"The model {self.name} failed ({error}).", retryable=True
            ) from None

    def _transcribe(self, requests: Sequence[Request]) -> list[Transcription]:
        context = self._context(requests[0])
        decoded = self._attempt(requests, context)
        for at, request in enumerate(requests):
            for wider in self._retries(context):
                reason = _doubt(decoded[at], request)
                if reason is None:
                    break
                metrics.RETRIED.labels(self.name, reason).inc()
                (decoded[at],) = self._attempt([request], wider)
                if reason == "improbable":
                    break  # more and more context changes nothing, and the caller waits
        return [
            replace(each.heard, text="") if each.looping and request.draft else each.heard
            for each, request in zip(decoded, requests, strict=True)
        ]

    def _attempt(self, requests: Sequence[Request], context: int) -> list[_Decoded]:
        self._go_on(requests)
        encoded = self._encode([request.audio for request in requests], context)
        self._go_on(requests)
        choices = self._detect(encoded, requests)
        self._go_on(requests)
        decoded = self._decode(encoded, requests, [likely for likely, *_ in choices])
        for at, (request, (_, *others)) in enumerate(zip(requests, choices, strict=True)):
            for other in others:
                alone = encoded if len(requests) == 1 else self._encode([request.audio], context)
                rivals = [decoded[at], *self._decode(alone, [request], [other])]
                # What the decoder repeats, it finds probable.
                decoded[at] = max(
                    rivals, key=lambda each: (not each.looping, evidence(each.heard, request))
                )
        if requests[0].words:
            decoded = [self._aligned(decoded[0], requests[0], encoded)]
        return decoded

    def _go_on(self, requests: Sequence[Request]) -> None:
        """Give up what nobody wants: a step cannot be stopped, but the next need not be made.

        Raises:
            EngineError: Nobody wants any of it.
        """
        if not any(request.wanted() for request in requests):
            metrics.DROPPED.labels(self.name, "gave_way").inc()
            reason = "The speech engine had something more urgent to do."
            raise EngineError("overloaded", reason, retryable=True)

    def _decode(
        self, encoded: StorageView, requests: Sequence[Request], choices: Sequence[Choice]
    ) -> list[_Decoded]:
        prompts = [
            self._prompts.prompt(choice.language, request.keyterms)
            for request, choice in zip(requests, choices, strict=True)
        ]
        limits = [token_limit(len(request.audio) / STT_SAMPLE_RATE) for request in requests]
        results = self._model.generate(
            encoded,
            prompts,
            beam_size=requests[0].beam_size,
            # CTranslate2 generates at most half of max_length, and no more than the prompt leaves.
            max_length=min(MAX_LENGTH, max(limits) + max(*limits, len(prompts[0]))),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [
            self._decoded(result, choice, limit, request.speech_seconds)
            for request, result, choice, limit in zip(
                requests, results, choices, limits, strict=True
            )
        ]

    def _aligned(self, decoded: _Decoded, request: Request, encoded: StorageView) -> _Decoded:
        heard = decoded.heard
        words = align(
            self._model,
            self._prompts.tokenizer(heard.language),
            encoded,
            decoded.tokens,
            len(request.audio) / STT_SAMPLE_RATE,
        )
        return replace(decoded, heard=replace(heard, words=words))

    def _context(self, request: Request) -> int:
        wanted = min(len(request.audio) / STT_SAMPLE_RATE + _MARGIN_SECONDS, _FULL)
        sizes = self._draft_contexts if request.draft else self._contexts
        return next(size for size in sizes if size >= wanted)

    @staticmethod
    def _retries(context: int) -> list[int]:
        """Return the contexts in which to try again: they cost more, but loop less."""
        return [wider for wider in (_CALM, _FULL) if wider > context]

    def _encode(self, audios: Sequence[Samples], context: int) -> StorageView:
        features = np.stack([spectrogram(self._features, audio, context) for audio in audios])
        return self._model.encode(StorageView.from_array(np.ascontiguousarray(features)))

    def _detect(self, encoded: StorageView, requests: Sequence[Request]) -> list[list[Choice]]:
        if not self._model.is_multilingual or all(len(r.candidates) < 2 for r in requests):
            return [[Choice(request.current, 1.0)] for request in requests]
        found = self._model.detect_language(encoded)
        return [
            choose(dict(scores), request) for scores, request in zip(found, requests, strict=True)
        ]

    def _decoded(
        self,
        result: WhisperGenerationResult,
        choice: Choice,
        limit: int,
        speech_seconds: float,
    ) -> _Decoded:
        tokenizer = self._prompts.tokenizer(choice.language)
        written = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        ids = written[: said_once(written, speech_seconds)]
        heard = Transcription(
            text=str(tokenizer.decode(ids)).strip(),
            language=choice.language,
            language_probability=choice.probability,
            avg_logprob=result.scores[0],
            no_speech_prob=result.no_speech_prob,
        )
        if len(ids) < len(written):
            metrics.DROPPED.labels(self.name, "repetition").inc()
            return _Decoded(heard, ids, looping=False)
        # What will not be believed anyway needs no second look.
        looping = not no_speech(heard) and (
            len(result.sequences_ids[0]) >= limit
            or compression(heard.text) > _MAX_COMPRESSION
            or repeats(heard.text)
        )
        return _Decoded(heard, ids, looping)


def _doubt(decoded: _Decoded, request: Request) -> str | None:
    """Say why an utterance deserves a second look, None when it does not.

    Improbable words do only where they would not be believed: more context does not make them
    right, but it tells a short answer from a noise.
    """
    if request.draft:
        return None
    if decoded.looping:
        return "looping"
    reason = phantom(decoded.heard, request.speech_seconds)
    return reason if reason == "improbable" else None


def load(context: "ModelContext") -> WhisperRecogniser:
    """Load the model that a context names.

    Raises:
        EngineError: The device failed or the directory is damaged.
    """
    if context.path is None:
        raise EngineError("failed", f"The model {context.name} has no files.")
    return WhisperRecogniser(
        context.path,
        name=context.name,
        device=context.device,
        threads=context.threads,
        encoder_context=context.encoder_context,
        batch=context.batch,
    )
