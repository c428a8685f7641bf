"""Getting the models from the store into memory, and saying how far that has come."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable
from concurrent.futures import Executor
from pathlib import Path

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.device import choose_device
from livekit.plugins.local.engine.readiness import Component, Readiness, State
from livekit.plugins.local.engine.scheduler import Limits, Scheduler
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.registry import (
    ModelContext,
    family_of,
    require_languages,
)
from livekit.plugins.local.engine.tts.base import EngineContext
from livekit.plugins.local.engine.tts.cache import PhraseCache
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore
from livekit.plugins.local.engine.tts.phrases import prepare
from livekit.plugins.local.engine.tts.registry import build, engines_for, models_for
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.models import ModelError, ModelStore, Progress, default_manifest

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
        self._store = ModelStore(config.models_dir, sources=config.model_sources)
        self._recogniser: Recogniser | None = None
        self._voice_engines = engines_for(config.voices)
        self.readiness = Readiness([STT, *(f"{TTS}:{name}" for name in self._voice_engines)])
        context = EngineContext(
            self._directory,
            config.threads,
            configured=config.voices,
            data_dir=config.data_dir,
            server=config.speech_server,
        )
        self.synthesizer = Synthesizer(
            build(self._voice_engines, context),
            config.voices,
            cache=PhraseCache(config.tts_cache_mb * 1_000_000) if config.tts_cache_mb else None,
            models={name: _fingerprint(models_for([name])) for name in self._voice_engines},
            on_trouble=self._show_voice_trouble,
        )
        self._phrase_store = PhraseStore(config.phrases_dir) if config.phrases_dir else None

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
        except Exception as error:  # noqa: BLE001 - else this component would load for ever
            _log.exception("%s could not be loaded", component)
            message = f"It could not be loaded ({type(error).__name__}); see the engine's log."
            self.readiness.set(component, Component("failed", message))
        else:
            self.readiness.set(component, Component("ready"))

    async def _load_stt(self) -> None:
        config = self._config
        family = family_of(config.stt_model)
        device = await asyncio.to_thread(choose_device, config.device, config.stt_compute_type)
        packaged = config.stt_model in family.packaged
        path = None if packaged else await self._fetch(STT, config.stt_model)
        self.readiness.set(STT, Component("loading"))
        context = ModelContext(
            config.stt_model,
            path,
            device,
            config.threads,
            config.encoder_context,
            batch=_BATCH[device.kind],
        )
        try:
            model = await asyncio.to_thread(family.load, context)
        except EngineError:
            if packaged or not await self._fetched_again(STT, [config.stt_model]):
                raise
            model = await asyncio.to_thread(family.load, context)
        require_languages(model, config.languages)
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
        if state.state == "failed" and await self._fetched_again(component, models_for([name])):
            await self.synthesizer.load(name)
            state = self.synthesizer.states[name]
        if state.state == "failed":
            raise EngineError(state.code, state.message)
        self.readiness.set(component, Component("warming"))
        await self._prepare_phrases(name)

    async def _prepare_phrases(self, engine: str) -> None:
        config, store = self._config, self._phrase_store
        for language, voice in config.voices.items():
            texts = config.phrases.get(language)
            if texts and voice.partition("/")[0] == engine:
                await prepare(
                    self.synthesizer,
                    texts,
                    language=language,
                    speed=config.phrase_speed,
                    store=store,
                )
        if store:
            await asyncio.to_thread(store.prune)

    def _show_voice_trouble(self, engine: str, message: str) -> None:
        state: State = "failed" if message else "ready"
        self.readiness.set(f"{TTS}:{engine}", Component(state, message))

    async def _fetch(self, component: str, model_id: str) -> Path:
        def show(progress: Progress) -> None:
            if progress.state != "ready":
                state = Component(progress.state, model_id, progress.done, progress.total)
                self.readiness.set(component, state)

        return await self._store.ensure(model_id, show)

    async def _fetched_again(self, component: str, model_ids: list[str]) -> bool:
        """Fetch anew what is damaged of models that did not load; return whether anything was."""
        problems = [await self._store.verify(model_id) for model_id in model_ids]
        if not any(problems):
            return False
        for model_id in model_ids:
            await self._fetch(component, model_id)
        self.readiness.set(component, Component("loading"))
        return True

    def _directory(self, model_id: str) -> Path:
        path = self._store.locate(model_id)
        if path is None:
            raise EngineError("failed", f"The model {model_id} vanished; start the engine again.")
        return path


def _fingerprint(model_ids: list[str]) -> str:
    """Return a hash over the files of models, empty for none."""
    if not model_ids:
        return ""
    manifest = default_manifest()
    hashes = [file.sha256 for model_id in model_ids for file in manifest[model_id].files]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
