"""Getting models into the store: room for all of them first, then each with visible progress."""

from collections.abc import Iterable
from pathlib import Path

from livekit.plugins.local.errors import EngineError
from livekit.plugins.local.models import ModelError, ModelStore, Progress
from livekit.plugins.local.readiness import Component, Pace, Readiness, arriving

DISK = "disk"


class Fetcher:
    """Fetches what an engine needs.

    Args:
        store: Where models are.
        readiness: Shown how far each download is.
    """

    def __init__(self, store: ModelStore, readiness: Readiness) -> None:
        self._store = store
        self._readiness = readiness
        self._no_room: ModelError | None = None

    def require_room(self, model_ids: Iterable[str]) -> None:
        """Check that all that is missing fits on the disk; if not, `fetch` fetches nothing.

        Args:
            model_ids: All models that will be asked for.

        Raises:
            ModelError: It does not; the sentence says how much is needed and how much is free.
        """
        missing = [name for name in dict.fromkeys(model_ids) if self._store.locate(name) is None]
        try:
            self._store.require_space(missing)
        except ModelError as error:
            self._no_room = error
            raise

    def here(self, model_id: str) -> Path | None:
        """Return the directory of a model, or None if it would have to be fetched."""
        return self._store.locate(model_id)

    async def fetch(self, component: str, model_id: str) -> Path:
        """Return the directory of a model, fetching it if need be.

        Args:
            component: What shows the progress.
            model_id: The model.

        Raises:
            ModelError: It cannot be had, or there is no room for all that is missing.
        """
        if self._no_room and self._store.locate(model_id) is None:
            raise self._no_room
        pace = Pace()

        def show(progress: Progress) -> None:
            if progress.state != "ready":
                self._readiness.set(component, arriving(progress, pace))

        return await self._store.ensure(model_id, show)

    async def fetch_damaged(self, component: str, model_ids: Iterable[str]) -> bool:
        """Fetch anew what is damaged of models that did not load; return whether anything was.

        Raises:
            ModelError: See `fetch`.
        """
        problems = {name: await self._store.verify(name) for name in model_ids}
        if not any(problems.values()):
            return False
        for name in problems:
            await self.fetch(component, name)
        self._readiness.set(component, Component("loading"))
        return True

    def directory(self, model_id: str) -> Path:
        """Return the directory of a model that has been fetched.

        Raises:
            EngineError: It was removed meanwhile.
        """
        path = self._store.locate(model_id)
        if path is None:
            raise EngineError("failed", f"The model {model_id} vanished; start the engine again.")
        return path


def failed(error: EngineError | ModelError) -> Component:
    """Return the state of a component that an error keeps from working."""
    return Component("failed", error.message, code=error.code, remedy=getattr(error, "remedy", ""))
