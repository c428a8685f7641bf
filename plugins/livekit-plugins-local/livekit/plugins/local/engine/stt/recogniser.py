"""The recogniser that all streams of an engine share."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from livekit.plugins.local.engine.scheduler import Caller, Job, Priority, Scheduler, Work
from livekit.plugins.local.engine.stt.base import (
    BatchingModel,
    Request,
    SpeechModel,
    Transcription,
)
from livekit.plugins.local.engine.stt.registry import require_languages
from livekit.plugins.local.errors import EngineError


@dataclass(slots=True)
class Recogniser:
    """What the streams of one engine share; streams look at it anew for each utterance.

    Attributes:
        model: The loaded model.
        scheduler: The queue in front of it.
        beam_size: Beam width of final transcripts.
        vad_threads: Where voice activity is judged.
        speaking: The calls in which somebody speaks and is shown interims.
    """

    model: SpeechModel
    scheduler: Scheduler
    beam_size: int
    vad_threads: Executor
    speaking: set[Caller] = field(default_factory=set)

    def switch(self, model: SpeechModel, scheduler: Scheduler) -> Scheduler:
        """Use another model from the next utterance on; return the queue of the one before."""
        before = self.scheduler
        self.model, self.scheduler = model, scheduler
        return before

    def submit(
        self,
        priority: Priority,
        request: Request,
        *,
        caller: Caller | None = None,
        patience: float | None = None,
    ) -> Job[Transcription]:
        """Queue one utterance; await the job's ``result``. See `Scheduler.submit`.

        Raises:
            EngineError: The audio is no audio (``bad_request``), the model does not know the
                language (``unknown_language``), or see `Scheduler.submit`. The result raises one
                when the model fails.
        """
        require_languages(self.model, request.candidates)
        if not np.isfinite(request.audio).all():
            raise EngineError("bad_request", "The audio holds values that are not numbers.")
        if priority is Priority.INTERIM:
            scheduler = self.scheduler
            request = replace(request, wanted=lambda: not scheduler.urgent)
        return self.scheduler.submit(
            priority, self._work(request), caller=caller, patience=patience
        )

    def _work(self, request: Request) -> Work[Request, Transcription]:
        if isinstance(self.model, BatchingModel):
            return Work(request, self.model.transcribe_batch, self.model.batch_key(request))
        return Work(request, partial(_one_by_one, self.model))


def _one_by_one(model: SpeechModel, requests: Sequence[Request]) -> list[Transcription | Exception]:
    return [
        model.transcribe(
            request.audio,
            current=request.current,
            candidates=request.candidates,
            beam_size=request.beam_size,
        )
        for request in requests
    ]
