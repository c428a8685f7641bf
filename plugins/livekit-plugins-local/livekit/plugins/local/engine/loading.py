"""Getting the models from the store into memory, and saying how far that has come."""

import asyncio
import logging
from collections.abc import Awaitable
from concurrent.futures import Executor
from pathlib import Path

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.device import choose_device
from livekit.plugins.local.engine.readiness import Component, Readiness, State
from livekit.plugins.local.engine.scheduler import Limits, Scheduler
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.whisper import WhisperRecogniser
from livekit.plugins.local.engine.tts.base import EngineContext
from livekit.plugins.local.engine.tts.registry import build, engines_for, models_for
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.models import ModelError, ModelStore, Progress

STT = "stt"
TTS = "tts"
# Utterances that share a call to the model: on a CPU, more of them make each wait too long.
_BATCH = {"cpu": 4, "cuda": 8}

_log = logging.getLogger(__name__)


class Speech:
    """The models of one engine process.

    Attributes:
        readiness: ``stt``, and ``tts:NAME`` for each voice engine.
        synthesizer: The voices; it refuses those whose engine is not loaded.
    """

    def __init__(self, config: EngineConfig, vad_threads: Executor) -> None:
        """Prepare to load.

        Raises:
            EngineError: A voice names an engine that does not exist.
        """
        self._config = config
        self._vad_threads = vad_threads
        self._store = ModelStore(config.models_dir)
        self._recogniser: Recogniser | None = None
        self._voice_engines = engines_for(config.voices)
        self.readiness = Readiness([STT, *(f"{TTS}:{name}" for name in self._voice_engines)])
        context = EngineContext(self._directory, config.threads)
        self.synthesizer = Synthesizer(build(self._voice_engines, context), config.voices)

    def recogniser(self) -> Recogniser:
        """Return the recogniser.

        Raises:
            EngineError: It is not loaded yet, or could not be.
        """
        if self._recogniser is None:
            state = self.readiness[STT]
            if state.state == "failed":
                raise EngineError("failed", state.message)
            raise EngineError(
                "not_ready", "Speech recognition is still starting; try again.", retryable=True
            )
        return self._recogniser

    async def load(self) -> None:
        """Load everything; what fails is in `readiness`, and the rest goes on."""
        voices = [
            self._guarded(f"{TTS}:{name}", self._load_voices(name)) for name in self._voice_engines
        ]
        await asyncio.gather(self._guarded(STT, self._load_stt()), *voices)

    async def aclose(self) -> None:
        """Drop work in progress and stop."""
        self.synthesizer.close()
        if self._recogniser:
            await self._recogniser.scheduler.aclose()

    async def _guarded(self, component: str, loading: Awaitable[None]) -> None:
        try:
            await loading
        except (EngineError, ModelError) as error:
            _log.error("%s: %s", component, error.message)
            self.readiness.set(component, Component("failed", error.message))
        else:
            self.readiness.set(component, Component("ready"))

    async def _load_stt(self) -> None:
        config = self._config
        device = await asyncio.to_thread(choose_device, config.device)
        path = await self._fetch(STT, config.stt_model)
        self.readiness.set(STT, Component("loading"))
        model = await asyncio.to_thread(
            WhisperRecogniser,
            path,
            name=config.stt_model,
            device=device,
            threads=config.threads,
            encoder_context=config.encoder_context,
        )
        scheduler = Scheduler(
            config.stt_model,
            limits=Limits(batch=_BATCH[device.kind]),
            revive=model.reload,
            on_trouble=self._show_trouble,
        )
        self.readiness.load = lambda: scheduler.load
        self._recogniser = Recogniser(model, scheduler, config.stt_beam_size, self._vad_threads)

    def _show_trouble(self, error: EngineError | None) -> None:
        if error is None:
            self.readiness.set(STT, Component("ready"))
        else:
            state: State = "loading" if error.retryable else "failed"
            self.readiness.set(STT, Component(state, error.message))

    async def _load_voices(self, name: str) -> None:
        component = f"{TTS}:{name}"
        for model_id in models_for([name]):
            await self._fetch(component, model_id)
        self.readiness.set(component, Component("loading"))
        await self.synthesizer.load(name)
        state = self.synthesizer.states[name]
        if state.state == "failed":
            raise EngineError(state.code, state.message)

    async def _fetch(self, component: str, model_id: str) -> Path:
        def show(progress: Progress) -> None:
            if progress.state != "ready":
                state = Component(progress.state, model_id, progress.done, progress.total)
                self.readiness.set(component, state)

        return await self._store.ensure(model_id, show)

    def _directory(self, model_id: str) -> Path:
        path = self._store.locate(model_id)
        if path is None:
            raise EngineError("failed", f"The model {model_id} vanished; start the engine again.")
        return path
