"""One caller's ears: audio in, interim and final transcripts out.

The utterance is decoded as soon as the caller has been silent for a moment, before anyone has
decided that the turn is over. The text is announced when it is there. When the flush comes and
nothing more was said, it is the final transcript and costs no further time; otherwise it is
forgotten.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.scheduler import Caller, Job, Priority
from livekit.plugins.local.engine.stt.base import Request, Samples, Transcription
from livekit.plugins.local.engine.stt.guards import phantom
from livekit.plugins.local.engine.stt.interims import Interims
from livekit.plugins.local.engine.stt.language import CallLanguage
from livekit.plugins.local.engine.stt.preflight import Preflight
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.registry import require_languages
from livekit.plugins.local.engine.stt.transcripts import (
    confidence,
    joined,
    message,
    placed,
    words_of,
)
from livekit.plugins.local.engine.stt.utterance import Utterance
from livekit.plugins.local.engine.stt.vad import WINDOW, VoiceActivity
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import STT_SAMPLE_RATE, SttStart

__all__ = ["Recogniser", "SttStream"]

Emit = Callable[[dict[str, Any]], Awaitable[None]]

# Silence after which the utterance is decoded on speculation, three windows of voice activity;
# shorter pauses are mostly within words.
SPECULATE_SECONDS = 0.096
# The model hears at most 30 s, and takes the longer the more it hears: what was said is sealed at
# the next good pause, later at the next pause, and at the limit it is cut between two words.
SEAL_SECONDS = 10.0
GOOD_PAUSE_SECONDS = 0.25
# Between sentences: what comes before so long a pause is sealed however short it is, since the
# model now and then leaves out one of two sentences that are far apart.
LONG_PAUSE_SECONDS = 0.7
HURRY_SECONDS = 20.0
MAX_SECONDS = 28.0
# A client in a hurry gives up by itself.
_LEAST_PATIENCE = 4.5
# Load from which on the model has no time to spare for interims.
_TOO_BUSY = 0.75

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Guess:
    """The utterance as it was at the beginning of a pause, and its transcript to come."""

    job: Job[Transcription] | None
    speech_seconds: float
    samples: int
    announcement: asyncio.Task[None] | None = None


class SttStream:
    """Transcribes one stream; every method is called from one task."""

    def __init__(self, recogniser: Recogniser, start: SttStart, emit: Emit) -> None:
        """Prepare to listen.

        Raises:
            EngineError: The model does not know one of the languages (``unknown_language``).
        """
        self._recogniser = recogniser
        self._caller = Caller()
        self._language = CallLanguage([start.language] if start.language else start.languages)
        require_languages(recogniser.model, self._language.candidates)
        self._interim_wanted = start.interim
        self._preflight_wanted = start.preflight
        self._words_wanted = start.words
        self._keyterms = tuple(start.keyterms)
        # A little less than the client's, which would not learn why.
        self._patience = max(_LEAST_PATIENCE, 0.9 * start.patience)
        self._emit = emit
        self._utterance = Utterance(VoiceActivity())
        self._fed = 0
        self._sealed: list[Transcription] = []
        self._sealed_start: float | None = None
        self._guess: _Guess | None = None
        self._preflight = Preflight()
        self._interims = Interims()
        self._interim: asyncio.Task[None] | None = None

    async def feed(self, pcm: bytes) -> None:
        """Take audio: signed 16-bit little-endian mono at 16 kHz, an even number of bytes.

        However it is portioned, it is heard window by window: else where speech is sealed, and so
        a word now and then, would depend on the size of the portions.
        """
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
        at = 0
        while at < len(samples):
            window = samples[at : at + WINDOW - self._fed % WINDOW]
            at += len(window)
            self._fed += len(window)
            await self._hear(window)

    def expect(self, keyterms: Sequence[str]) -> None:
        """Change the names and words to expect, from the next decoding on."""
        self._keyterms = tuple(keyterms)

    async def flush(self, flush_id: int) -> None:
        """End the utterance and emit its final transcript, empty if nobody spoke.

        Raises:
            EngineError: The model failed or is overloaded.
        """
        self._drop_interim()
        span = self._span
        heard = await self._final()
        parts = [*self._sealed, heard] if heard else self._sealed
        self._sealed, self._sealed_start = [], None
        text = self._preflight.final(joined(parts))
        more: dict[str, Any] = {"flush": flush_id, "confidence": confidence(parts)}
        if self._words_wanted:
            more["words"] = words_of(parts)
        await self._emit(message("final", text, self._language.current, span, **more))

    async def aclose(self) -> None:
        """Drop all work in progress."""
        self._recogniser.speaking.discard(self._caller)
        tasks = [task for task in (self._interim, self._drop_guess()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, samples: Samples) -> None:
        loop = asyncio.get_running_loop()
        spoke = await loop.run_in_executor(
            self._recogniser.vad_threads, self._utterance.feed, samples
        )
        utterance = self._utterance
        if spoke and self._guess:
            metrics.SPECULATION.labels("wasted").inc()
            self._drop_guess()
        if not utterance.speech:
            return
        pause = utterance.silence >= SPECULATE_SECONDS
        if self._seal_due():
            if not pause:
                utterance.cut()
            await self._seal()
        elif not self._guess and pause:
            self._drop_interim()
            self._speculate()
        elif self._interim_due():
            self._interims.asked(utterance.position)
            self._recogniser.speaking.add(self._caller)
            self._interim = _courtesy(self._show_interim())

    def _seal_due(self) -> bool:
        seconds, pause = self._utterance.seconds, self._utterance.silence
        return (
            seconds > MAX_SECONDS
            or (seconds > HURRY_SECONDS and pause >= SPECULATE_SECONDS)
            or (seconds > SEAL_SECONDS and pause >= GOOD_PAUSE_SECONDS)
            or pause >= LONG_PAUSE_SECONDS
        )

    def _interim_due(self) -> bool:
        utterance = self._utterance
        if not (self._interim_wanted and utterance.speaking):
            return False
        if self._interim and not self._interim.done():
            return False
        if self._recogniser.scheduler.load > _TOO_BUSY:
            return False
        return self._interims.due(utterance.speech / STT_SAMPLE_RATE, utterance.position)

    def _speculate(self) -> None:
        speech_seconds = self._utterance.speech / STT_SAMPLE_RATE
        samples = len(self._utterance.audio)
        try:
            job = self._submit(Priority.SPECULATIVE)
        except EngineError as error:
            # The flush will ask again, more urgently.
            _log.debug("no speculative transcript: %s", error.message)
            self._guess = _Guess(None, speech_seconds, samples)
            return
        announcement = None
        if self._preflight_wanted:
            announcement = _courtesy(self._announce(job, speech_seconds))
        self._guess = _Guess(job, speech_seconds, samples, announcement)

    async def _announce(self, job: Job[Transcription], speech_seconds: float) -> None:
        span = self._span
        try:
            heard = await asyncio.shield(job.result)
        except EngineError:
            return
        parts = [*self._sealed, heard]
        text = joined(parts)
        if phantom(heard, speech_seconds) or not self._preflight.announce(text):
            return
        sure = confidence(parts)
        await self._emit(message("preflight", text, heard.language, span, confidence=sure))

    async def _final(self) -> Transcription | None:
        guess, self._guess = self._guess, None
        self._recogniser.speaking.discard(self._caller)
        if guess and guess.announcement:
            guess.announcement.cancel()
        if not self._utterance.speech:
            self._utterance.take()
            return None
        speech_seconds = self._utterance.speech / STT_SAMPLE_RATE
        heard = await self._guessed(guess)
        grown = guess and len(self._utterance.audio) > guess.samples
        if heard and grown and phantom(heard, speech_seconds):
            # A short word with little silence after it looks like no speech at all.
            heard = None
        heard = heard or await self._submit(Priority.FINAL).result
        heard = placed(heard, self._utterance.span[0], self._utterance.voiced)
        self._utterance.take()
        self._interims.start_over()
        reason = phantom(heard, speech_seconds)
        if reason:
            metrics.DROPPED.labels(self._recogniser.model.name, reason).inc()
            return None
        self._language.heard(heard, speech_seconds)
        return heard

    async def _guessed(self, guess: _Guess | None) -> Transcription | None:
        """Return what was decoded during the pause, waiting for it if need be."""
        if guess and guess.job:
            self._recogniser.scheduler.promote(guess.job, Priority.FINAL)
            try:
                heard = await guess.job.result
            except EngineError as error:
                if not error.retryable:
                    raise
            else:
                metrics.SPECULATION.labels("used").inc()
                return heard
        metrics.SPECULATION.labels("missed").inc()
        return None

    async def _seal(self) -> None:
        if self._sealed_start is None:
            self._sealed_start = self._utterance.span[0]
        self._drop_interim()
        guess = self._guess
        if guess and guess.job and guess.announcement:
            # The turn may be over: the language model should know as early as otherwise.
            self._recogniser.scheduler.promote(guess.job, Priority.FINAL)
            await asyncio.wait({guess.announcement})
        heard = await self._final()
        if heard:
            self._sealed.append(heard)

    def _submit(self, priority: Priority) -> Job[Transcription]:
        recogniser, utterance, language = self._recogniser, self._utterance, self._language
        draft = priority is Priority.INTERIM
        request = Request(
            audio=utterance.audio.copy(),
            speech_seconds=utterance.speech / STT_SAMPLE_RATE,
            current=language.current,
            candidates=language.candidates,
            settled=language.settled,
            beam_size=1 if draft else recogniser.beam_size,
            draft=draft,
            keyterms=self._keyterms,
            words=self._words_wanted and not draft,
        )
        patience = None if draft else self._patience
        return recogniser.submit(priority, request, caller=self._caller, patience=patience)

    async def _show_interim(self) -> None:
        span = self._utterance.span
        speech_seconds = self._utterance.speech / STT_SAMPLE_RATE
        began = asyncio.get_running_loop().time()
        try:
            heard = await self._submit(Priority.INTERIM).result
        except EngineError as error:
            # An interim is a courtesy: the final transcript will report what is wrong.
            _log.debug("no interim transcript: %s", error.message)
            self._interims.dropped()
            return
        seconds = asyncio.get_running_loop().time() - began
        self._interims.answered(seconds, len(self._recogniser.speaking))
        if phantom(heard, speech_seconds) or not heard.text:
            self._interims.came_to_nothing()
            return
        text = joined(self._sealed, self._interims.show(heard.text))
        stable = joined(self._sealed, self._interims.stable)
        self._preflight.shown(text)
        hypothesis = joined([*self._sealed, heard])
        await self._emit(
            message("interim", text, heard.language, span, stable=stable, hypothesis=hypothesis)
        )

    @property
    def _span(self) -> tuple[float, float]:
        """Start and end of all that the next final is about, in seconds of the stream."""
        start, end = self._utterance.span
        return (start if self._sealed_start is None else self._sealed_start), end

    def _drop_guess(self) -> asyncio.Task[None] | None:
        """Forget what was decoded during a pause; return a task that has to end yet."""
        guess, self._guess = self._guess, None
        if guess is None:
            return None
        if guess.job:
            guess.job.result.cancel()
        if guess.announcement:
            guess.announcement.cancel()
        return guess.announcement

    def _drop_interim(self) -> None:
        if self._interim:
            self._interim.cancel()
            self._interim = None


def _courtesy(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Do something whose failure interests nobody: the final transcript will fail as well."""
    task = asyncio.create_task(coroutine)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
