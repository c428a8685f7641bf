"""Directories and web servers that hold a copy of a store, or of single models."""

from pathlib import Path

from livekit.plugins.local.models.archives import CHUNK
from livekit.plugins.local.models.blobs import length
from livekit.plugins.local.models.concurrency import for_each, in_thread
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import ModelFile
from yarl import URL

from .base import PARALLEL_TRANSFERS, Order, Source, check_online, transfer


class FolderSource(Source):
    """A directory: ``sha256/HEX`` as in a store, or ``MODEL/FILE``, or ``FILE``.

    Args:
        folder: The directory, on any disk.
        model_id: The model that is asked for.
    """

    def __init__(self, folder: Path, model_id: str) -> None:
        self._folder = folder
        self._model_id = model_id

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self._folder)

    async def fetch(self, order: Order) -> None:
        """Copy the files of ``order``.

        Raises:
            Refused: One is not there, or has other bytes; the others are taken all the same.
        """
        if not self._folder.is_dir():
            raise Refused("not_found", "there is no such directory")
        order.tally.begin(sum(file.size for file in order.files))
        refusals: list[Refused] = []
        for file in order.files:
            try:
                await self._deliver(file, order)
            except Refused as refusal:
                refusals.append(refusal)
        if refusals:
            raise refusals[0]

    async def _deliver(self, file: ModelFile, order: Order) -> None:
        places = (f"sha256/{file.sha256}", f"{self._model_id}/{file.name}", file.name)
        found = [self._folder / place for place in places if (self._folder / place).is_file()]
        if not found:
            raise Refused("not_found", f"it has no {file.name}")
        source = next((path for path in found if length(path) == file.size), None)
        if source is None:
            raise Refused("truncated", f"its {file.name} is not {file.size} bytes long")
        target = order.partial / file.sha256
        try:
            with source.open("rb") as content, target.open("wb") as copy:
                while chunk := await in_thread(content.read, CHUNK):
                    await in_thread(copy.write, chunk)
                    order.tally.arrived(file.name, copy.tell())
        except PermissionError:
            raise Refused("not_found", f"its {file.name} may not be read") from None
        order.tally.verifying(file.name)
        await order.accept(file, target)


class WebSource(Source):
    """A web server with a copy of a store: ``URL/sha256/HEX``.

    Args:
        url: Its address; what stands before an ``@`` is sent as user and password.
    """

    def __init__(self, url: str) -> None:
        self._url = URL(url)

    @property
    def name(self) -> str:
        """What messages call it; never with a password."""
        return f"mirror {self._url.host}"

    async def fetch(self, order: Order) -> None:
        """Deliver the files of ``order``.

        Raises:
            Refused: The server cannot be reached, or lacks one of them.
        """
        check_online()
        order.tally.begin(sum(file.size for file in order.files))

        async def deliver(file: ModelFile) -> None:
            await transfer(order, file, str(self._url / "sha256" / file.sha256))

        await for_each(order.files, deliver, limit=PARALLEL_TRANSFERS)
