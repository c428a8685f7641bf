"""The model hub: the files of one repository at one revision, over plain HTTP.

``huggingface_hub`` is imported only when the hub is asked: it takes as long as all the rest, and
most often everything is here already.
"""

import os
import time

from livekit.plugins.local.models.concurrency import for_each, in_thread
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import HubRepo, ModelFile

from .base import PARALLEL_TRANSFERS, UNREACHABLE_SECONDS, Order, Source, check_online, transfer

# It would ask the hub which programs it knows, and tell it from which of them we were started.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

CONNECT_SECONDS = 3.0


class Hub:
    """The hub that ``HF_ENDPOINT`` names, or the public one.

    One object serves all models of a store, so that a hub that cannot be reached is asked once and
    not once per file.
    """

    def __init__(self) -> None:
        self._unreachable: tuple[float, str] | None = None

    def check(self) -> None:
        """Refuse at once where there is no use in asking.

        Raises:
            Refused: The hub is switched off, or did not answer a moment ago.
        """
        check_online()
        if self._unreachable and time.monotonic() < self._unreachable[0]:
            raise Refused("offline", self._unreachable[1])

    def note_unreachable(self, reason: str) -> None:
        """Remember that the hub did not answer, and why."""
        self._unreachable = (time.monotonic() + UNREACHABLE_SECONDS, reason)

    @property
    def endpoint(self) -> str:
        """Its address; read from the environment each time."""
        from huggingface_hub import constants

        return os.environ.get("HF_ENDPOINT", "").rstrip("/") or str(constants.ENDPOINT)

    async def headers(self) -> dict[str, str]:
        """Return what proves to the hub who asks; empty for an anonymous user."""
        token = await in_thread(_token)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def url(self, repo: HubRepo, file: ModelFile) -> str:
        """Return where ``file`` is."""
        from huggingface_hub import hf_hub_url

        return hf_hub_url(
            repo.repo,
            file.name,
            subfolder=repo.folder or None,
            revision=repo.revision,
            endpoint=self.endpoint,
        )


def _token() -> str | None:
    # On a thread, for importing it takes half a second.
    from huggingface_hub import get_token

    return get_token()


class HubSource(Source):
    """The files of one model on the hub.

    Args:
        hub: The hub.
        repo: Where on it they are.
    """

    name = "hub"

    def __init__(self, hub: Hub, repo: HubRepo) -> None:
        self._hub = hub
        self._repo = repo

    async def fetch(self, order: Order) -> None:
        """Deliver the files of ``order``.

        Raises:
            Refused: The hub is off, unreachable, or does not have (or give) them.
        """
        self._hub.check()
        headers = await self._hub.headers()
        order.tally.begin(sum(file.size for file in order.files))

        async def deliver(file: ModelFile) -> None:
            url = self._hub.url(self._repo, file)
            await transfer(order, file, url, headers=headers, connect_seconds=CONNECT_SECONDS)

        try:
            await for_each(order.files, deliver, limit=PARALLEL_TRANSFERS)
        except Refused as refusal:
            if refusal.code == "offline":
                self._hub.note_unreachable(refusal.reason)
            raise
