"""What a source of models is to the store."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
from livekit.plugins.local.models.blobs import length
from livekit.plugins.local.models.download import CONNECT_SECONDS, download
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import ModelFile
from livekit.plugins.local.models.progress import Tally

PARALLEL_TRANSFERS = 4
# How long what did not answer is taken to be still unreachable.
UNREACHABLE_SECONDS = 60.0

_TRUE = {"1", "ON", "TRUE", "YES"}


def check_online() -> None:
    """Refuse at once where the user allows no network.

    Raises:
        Refused: ``HF_HUB_OFFLINE`` is set.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        raise Refused("offline_mode", "not asked")


@dataclass(frozen=True, slots=True)
class Order:
    """What a source is asked for, and where it works.

    Attributes:
        files: The files to deliver; at least one.
        session: For its downloads.
        partial: A directory for what is unfinished; what a source leaves there it finds again the
            next time, also after a crash. It belongs to one model, and nobody else uses it now.
        accept: Verifies a file and takes it away; raises `Refused` if the bytes are others.
        tally: Told of every byte.
    """

    files: Sequence[ModelFile]
    session: aiohttp.ClientSession
    partial: Path
    accept: Callable[[ModelFile, Path], Awaitable[None]]
    tally: Tally


class Source(Protocol):
    """One place that may have files of one model.

    What is not overridden is true of a place that may have any file, as it is.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def offers(self, file: ModelFile) -> bool:
        """Whether it may have ``file``; nobody is asked."""
        return True

    def space_needed(self, files: Sequence[ModelFile]) -> int:
        """Return how much disk delivering ``files`` takes at the worst moment, in bytes."""
        return sum(file.size for file in files)

    async def fetch(self, order: Order) -> None:
        """Deliver the files of ``order``, each through ``order.accept``.

        Raises:
            Refused: It cannot; what was accepted before stays.
        """
        ...


async def transfer(
    order: Order,
    file: ModelFile,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    connect_seconds: float = CONNECT_SECONDS,
) -> None:
    """Deliver one file of ``order`` that lies, as it is, at an address.

    Args:
        order: The order.
        file: The file.
        url: Where it is.
        headers: Sent along; see `download`.
        connect_seconds: See `download`.

    Raises:
        Refused: The server does not deliver it, or delivers other bytes.
    """
    target = order.partial / file.sha256
    resumed = length(target) > 0
    while True:
        await download(
            order.session,
            url,
            target,
            size=file.size,
            on_bytes=lambda have: order.tally.arrived(file.name, have),
            headers=headers,
            connect_seconds=connect_seconds,
        )
        order.tally.verifying(file.name)
        try:
            return await order.accept(file, target)
        except Refused:
            if not resumed:
                raise
            # The beginning may have come from another server, and this one is innocent.
            resumed = False
