"""Getting the models from the store into memory, and saying how far that has come."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable
from concurrent.futures import Executor

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.fetching import DISK, Fetcher, failed
from livekit.plugins.local.engine.hearing import STT, Hearing
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.tts.base import EngineContext
from livekit.plugins.local.engine.tts.cache import PhraseCache
from livekit.plugins.local.engine.tts.phrase_store import PhraseStore
from livekit.plugins.local.engine.tts.phrases import prepare
from livekit.plugins.local.engine.tts.registry import build, engines_for, models_for
from livekit.plugins.local.engine.tts.synthesizer import Synthesizer
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.models import ModelError, ModelStore, default_manifest
from livekit.plugins.local.packages import VOICES
from livekit.plugins.local.readiness import Component, Readiness

TTS = "tts"

_log = logging.getLogger(__name__)


class Speech:
    """The models of one engine process.

    It serves as soon as something hears and something speaks: a voice that is not there yet is
    stood in for, and used from the first clause after its arrival.

    Attributes:
        readiness: ``disk``, ``stt``, and ``tts:NAME`` for each voice engine; ``gpu`` where one is
            used, and ``stt:NAME`` while that model hears for the chosen one.
        synthesizer: The voices; it refuses those whose engine is not loaded.
    """

    def __init__(self, config: EngineConfig, vad_threads: Executor) -> None:
        """Prepare to load.

        Raises:
            EngineError: A voice names an engine that does not exist.
        """
        self._config = config
        self._voice_engines = engines_for(config.voices)
        voices = [f"{TTS}:{name}" for name in self._voice_engines]
        self.readiness = Readiness([DISK, STT, *voices], needs=[STT, TTS])
        store = ModelStore(config.models_dir, sources=config.model_sources)
        self._fetcher = Fetcher(store, self.readiness)
        self._hearing = Hearing(config, self._fetcher, self.readiness, vad_threads)
        context = EngineContext(
            self._fetcher.directory,
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
        return self._hearing.recogniser()

    async def load(self) -> None:
        """Load everything; what fails is in `readiness`, and the rest goes on."""
        await self._guarded(DISK, self._check_room())
        voices = [
            self._guarded(f"{TTS}:{name}", self._load_voices(name)) for name in self._voice_engines
        ]
        await asyncio.gather(self._guarded(STT, self._hearing.load()), *voices)

    async def aclose(self) -> None:
        """Drop work in progress and stop."""
        self.synthesizer.close()
        await self._hearing.aclose()

    async def _guarded(self, component: str, loading: Awaitable[None]) -> None:
        try:
            await loading
        except (EngineError, ModelError) as error:
            _log.error("%s: %s", component, error.message)
            self.readiness.set(component, failed(error))
        except Exception as error:  # noqa: BLE001 - else this component would load for ever
            _log.exception("%s could not be loaded", component)
            message = f"It could not be loaded ({type(error).__name__}); see the engine's log."
            self.readiness.set(component, Component("failed", message, code="failed"))
        else:
            self.readiness.set(component, Component("ready"))

    async def _check_room(self) -> None:
        """Refuse what does not fit on the disk before any byte of it is fetched."""
        wanted = models_for(self._voice_engines)
        try:
            wanted += self._hearing.models
        except EngineError as error:
            self.readiness.set(STT, failed(error))
        await asyncio.to_thread(self._fetcher.require_room, wanted)

    async def _load_voices(self, name: str) -> None:
        component, models = f"{TTS}:{name}", models_for([name])
        if name in VOICES:  # before anything is fetched for it in vain
            VOICES[name].require()
        for model_id in models:
            await self._fetcher.fetch(component, model_id)
        self.readiness.set(component, Component("loading"))
        await self.synthesizer.load(name)
        state = self.synthesizer.states[name]
        if state.state == "failed" and await self._fetcher.fetch_damaged(component, models):
            await self.synthesizer.load(name)
            state = self.synthesizer.states[name]
        if state.state == "failed":
            raise state.error()
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
        state = Component("failed", message, code="failed") if message else Component("ready")
        self.readiness.set(f"{TTS}:{engine}", state)


def _fingerprint(model_ids: list[str]) -> str:
    """Return a hash over the files of models, empty for none."""
    if not model_ids:
        return ""
    manifest = default_manifest()
    hashes = [file.sha256 for model_id in model_ids for file in manifest[model_id].files]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()
