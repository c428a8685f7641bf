"""What a source of models is to the store."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import aiohttp
from livekit.plugins.local.models.manifest import ModelFile
from livekit.plugins.local.models.progress import Tally

PARALLEL_TRANSFERS = 4


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
    """One place that may have files of one model."""

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    def offers(self, file: ModelFile) -> bool:
        """Whether it claims to have ``file``; nobody is asked."""
        ...

    def space_needed(self, files: Sequence[ModelFile]) -> int:
        """Return how much disk delivering ``files`` takes at the worst moment, in bytes."""
        ...

    async def fetch(self, order: Order) -> None:
        """Deliver the files of ``order``, each through ``order.accept``.

        Raises:
            Refused: It cannot; what was accepted before stays.
        """
        ...
