"""The recogniser of an engine: the chosen model, or another one until that has arrived."""

import asyncio
import contextlib
import logging
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.device import Device, choose_device
from livekit.plugins.local.engine.fetching import Fetcher, failed
from livekit.plugins.local.engine.scheduler import Limits, Priority, Scheduler, Work
from livekit.plugins.local.engine.stt.recogniser import Recogniser
from livekit.plugins.local.engine.stt.registry import (
    LoadedModel,
    ModelContext,
    available,
    english_only,
    family_of,
    require_languages,
)
from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.readiness import Component, Readiness

STT = "stt"
GPU = "gpu"
# Utterances that share a call to the model: on a CPU, more of them make each wait too long.
_BATCH = {"cpu": 4, "cuda": 8}
# For those who wait for a model that is not used any more.
_DRAIN_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Hearing:
    """Loads the recogniser that all streams of an engine share.

    While the chosen model is still to be fetched, another one that is on this machine and knows
    the languages hears in its place, as component ``stt:NAME``. Streams that began with it go on
    with the chosen one, from their next utterance on.

    Args:
        config: Which model, and how it runs.
        fetcher: Gets it.
        readiness: Shown how far that is.
        vad_threads: Where voice activity is judged.
    """

    def __init__(
        self,
        config: EngineConfig,
        fetcher: Fetcher,
        readiness: Readiness,
        vad_threads: Executor,
    ) -> None:
        self._config = config
        self._fetcher = fetcher
        self._readiness = readiness
        self._vad_threads = vad_threads
        self._recogniser: Recogniser | None = None
        self._retired: Scheduler | None = None

    @property
    def models(self) -> list[str]:
        """Ids of the models that the chosen recogniser needs from the store.

        Raises:
            EngineError: There is no such recogniser.
        """
        name = self._config.stt_model
        return [] if name in family_of(name).packaged else [name]

    def recogniser(self) -> Recogniser:
        """Return the recogniser.

        Raises:
            EngineError: It is not loaded yet, or could not be.
        """
        if self._recogniser is None:
            state = self._readiness[STT]
            if state.state == "failed":
                raise EngineError("failed", state.message)
            raise EngineError(
                "not_ready", "Speech recognition is still starting; try again.", retryable=True
            )
        return self._recogniser

    async def load(self) -> None:
        """Load the chosen model, and before that another one if it has to be waited for.

        Raises:
            EngineError: It cannot be loaded.
            ModelError: It cannot be had.
        """
        config = self._config
        device = await self._device()
        path = None
        for name in self.models:
            fetching = asyncio.create_task(self._fetcher.fetch(STT, name))
            try:
                if self._fetcher.here(name) is None:
                    await self._load_stand_in(device)
                path = await fetching
            finally:
                fetching.cancel()
                await asyncio.wait({fetching})
        self._readiness.set(STT, Component("loading"))
        try:
            model = await self._load(config.stt_model, path, device)
        except EngineError:
            if not await self._fetcher.fetch_damaged(STT, self.models):
                raise
            model = await self._load(config.stt_model, path, device)
        await self._take(model, device, STT)

    async def aclose(self) -> None:
        """Drop work in progress and stop."""
        for scheduler in (self._retired, self._recogniser and self._recogniser.scheduler):
            if scheduler:
                await scheduler.aclose()

    async def _device(self) -> Device:
        try:
            device = await asyncio.to_thread(
                choose_device, self._config.device, self._config.stt_compute_type
            )
        except EngineError as error:
            self._readiness.set(GPU, failed(error))
            raise
        if device.kind != "cpu":
            name = f"{device.kind}:{device.index}, {device.compute_type}"
            self._readiness.set(GPU, Component("ready", name))
        return device

    async def _load(self, name: str, path: Path | None, device: Device) -> LoadedModel:
        config = self._config
        context = ModelContext(
            name,
            path,
            device,
            config.threads,
            config.encoder_context,
            batch=_BATCH[device.kind],
        )
        model = await asyncio.to_thread(family_of(name).load, context)
        require_languages(model, config.languages)
        return model

    async def _load_stand_in(self, device: Device) -> None:
        for name in available():
            packaged = name in family_of(name).packaged
            path = None if packaged else self._fetcher.here(name)
            if name == self._config.stt_model or not (packaged or path):
                continue
            if english_only(name) and set(self._config.languages) - {"en"}:
                continue  # not loaded in vain, while the machine is busy fetching
            try:
                model = await self._load(name, path, device)
            except EngineError as error:
                _log.info("%s does not stand in: %s", name, error.message)
                continue
            _log.info("%s hears until %s has arrived", name, self._config.stt_model)
            await self._take(model, device, f"{STT}:{name}")
            return

    async def _take(self, model: LoadedModel, device: Device, component: str) -> None:
        """Hear with a model from now on; who waits for the one before is still heard by it."""
        scheduler = Scheduler(
            model.name,
            limits=Limits(batch=_BATCH[device.kind]),
            revive=model.reload,
            on_trouble=partial(self._show_trouble, component),
        )
        self._readiness.load = lambda: scheduler.load
        if self._recogniser is None:
            self._recogniser = Recogniser(
                model, scheduler, self._config.stt_beam_size, self._vad_threads
            )
            self._readiness.set(component, Component("ready"))
            return
        stand_in = self._recogniser.model.name
        self._retired = self._recogniser.switch(model, scheduler)
        self._readiness.set(component, Component("ready"))
        self._readiness.remove(f"{STT}:{stand_in}")
        _log.info("%s hears now", model.name)
        with contextlib.suppress(EngineError):  # it hangs, and so nobody waits for it any more
            # What goes last is served when all others are.
            last: Work[None, None] = Work(None, lambda _: [None])
            await self._retired.submit(Priority.INTERIM, last, patience=_DRAIN_SECONDS).result
        retired, self._retired = self._retired, None
        await retired.aclose()

    def _show_trouble(self, component: str, error: EngineError | None) -> None:
        if error is None:
            self._readiness.set(component, Component("ready"))
        elif error.retryable:
            self._readiness.set(component, Component("loading", error.message))
        else:
            self._readiness.set(component, failed(error))
