"""One caller's ears: audio in, interim and final transcripts out.

The utterance is decoded as soon as the caller has been silent for a moment, before anyone has
decided that the turn is over. When the flush comes and nothing more was said, that text is the
final transcript and costs no further time; otherwise it is forgotten.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from livekit.plugins.local.engine import metrics
from livekit.plugins.local.engine.scheduler import Priority, Scheduler
from livekit.plugins.local.engine.stt.base import Samples, SpeechModel, Transcription
from livekit.plugins.local.engine.stt.guards import phantom
from livekit.plugins.local.engine.stt.utterance import Utterance
from livekit.plugins.local.engine.stt.vad import VoiceActivity
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.protocol import STT_SAMPLE_RATE, SttStart

Emit = Callable[[dict[str, Any]], Awaitable[None]]

# Silence after which the utterance is decoded on speculation; shorter pauses are mostly breaths.
SPECULATE_SECONDS = 0.15
INTERIM_SECONDS = 1.0
# The model hears at most 30 s: from here on the next pause seals what was said, and at the limit
# it is sealed without a pause.
SEAL_SECONDS = 20.0
MAX_SECONDS = 28.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recogniser:
    """What the streams of one engine share.

    Attributes:
        model: The loaded model.
        scheduler: The queue in front of it.
        beam_size: Beam width of final transcripts.
        vad_threads: Where voice activity is judged.
    """

    model: SpeechModel
    scheduler: Scheduler
    beam_size: int
    vad_threads: Executor


class SttStream:
    """Transcribes one stream; every method is called from one task."""

    def __init__(self, recogniser: Recogniser, start: SttStart, emit: Emit) -> None:
        self._recogniser = recogniser
        self._candidates: Sequence[str] = [start.language] if start.language else start.languages
        self._language = self._candidates[0]
        self._interim_wanted = start.interim
        self._emit = emit
        self._utterance = Utterance(VoiceActivity())
        self._sealed: list[Transcription] = []
        self._sealed_start: float | None = None
        self._speculation: asyncio.Task[Transcription | None] | None = None
        self._interim: asyncio.Task[None] | None = None
        self._interim_at = 0.0

    async def feed(self, pcm: bytes) -> None:
        """Take audio: signed 16-bit little-endian mono at 16 kHz, an even number of bytes."""
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768.0
        step = STT_SAMPLE_RATE // 2
        for at in range(0, len(samples), step):
            await self._hear(samples[at : at + step])

    async def flush(self, flush_id: int) -> None:
        """End the utterance and emit its final transcript, empty if nobody spoke.

        Raises:
            EngineError: The model failed or is overloaded.
        """
        self._drop_interim()
        start, end = self._utterance.span
        heard = await self._final()
        parts = [*self._sealed, heard] if heard else self._sealed
        start = self._sealed_start if self._sealed_start is not None else start
        self._sealed, self._sealed_start = [], None
        await self._emit(
            {
                "type": "final",
                "flush": flush_id,
                "text": " ".join(part.text for part in parts if part.text),
                "language": self._language,
                "confidence": min((part.confidence for part in parts), default=0.0),
                "start": round(start, 3),
                "end": round(max(start, end), 3),
            }
        )

    async def aclose(self) -> None:
        """Drop all work in progress."""
        tasks = [task for task in (self._speculation, self._interim) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, samples: Samples) -> None:
        loop = asyncio.get_running_loop()
        spoke = await loop.run_in_executor(
            self._recogniser.vad_threads, self._utterance.feed, samples
        )
        utterance = self._utterance
        if spoke:
            self._drop_speculation()
        if not utterance.speech:
            return
        if utterance.seconds > MAX_SECONDS or (
            utterance.seconds > SEAL_SECONDS and not utterance.speaking
        ):
            await self._seal()
        elif not self._speculation and utterance.silence >= SPECULATE_SECONDS:
            self._drop_interim()
            self._speculation = asyncio.create_task(self._decode(Priority.SPECULATIVE))
        elif self._interim_due():
            self._interim_at = utterance.seconds
            self._interim = asyncio.create_task(self._show_interim())

    def _interim_due(self) -> bool:
        if not self._interim_wanted or (self._interim and not self._interim.done()):
            return False
        return self._utterance.seconds - self._interim_at >= INTERIM_SECONDS

    async def _final(self) -> Transcription | None:
        if not self._utterance.speech:
            self._utterance.take()
            return None
        speculation, self._speculation = self._speculation, None
        if speculation:
            metrics.SPECULATION.labels("used").inc()
            work: Awaitable[Transcription | None] = speculation
        else:
            metrics.SPECULATION.labels("missed").inc()
            work = self._decode(Priority.FINAL)
        heard = await work
        self._utterance.take()
        self._interim_at = 0.0
        if heard:
            self._language = heard.language
        return heard

    async def _seal(self) -> None:
        if self._sealed_start is None:
            self._sealed_start = self._utterance.span[0]
        self._drop_interim()
        heard = await self._final()
        if heard:
            self._sealed.append(heard)

    async def _decode(self, priority: Priority) -> Transcription | None:
        recogniser, utterance = self._recogniser, self._utterance
        audio, language = utterance.audio.copy(), self._language
        speech_seconds = utterance.speech / STT_SAMPLE_RATE
        beam = 1 if priority is Priority.INTERIM else recogniser.beam_size
        heard = await recogniser.scheduler.run(
            priority,
            lambda: recogniser.model.transcribe(
                audio, current=language, candidates=self._candidates, beam_size=beam
            ),
        )
        reason = phantom(heard, speech_seconds)
        if reason:
            metrics.DROPPED.labels(recogniser.model.name, reason).inc()
            return None
        return heard

    async def _show_interim(self) -> None:
        start, end = self._utterance.span
        try:
            heard = await self._decode(Priority.INTERIM)
        except EngineError as error:
            # An interim is a courtesy: the final transcript will report what is wrong.
            _log.debug("no interim transcript: %s", error.message)
            return
        if not heard:
            return
        await self._emit(
            {
                "type": "interim",
                "text": " ".join([*(part.text for part in self._sealed), heard.text]),
                "language": heard.language,
                "start": round(start, 3),
                "end": round(end, 3),
            }
        )

    def _drop_speculation(self) -> None:
        if self._speculation:
            metrics.SPECULATION.labels("wasted").inc()
            _discard(self._speculation)
            self._speculation = None

    def _drop_interim(self) -> None:
        if self._interim:
            _discard(self._interim)
            self._interim = None


def _discard(task: asyncio.Task[Any]) -> None:
    """Cancel a task whose outcome, even a failure, interests nobody any more."""
    task.cancel()
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
