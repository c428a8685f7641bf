"""A bundle as a source: what `export` wrote, asked like any other place."""

from pathlib import Path

from livekit.plugins.local.models.bundles import open_bundle
from livekit.plugins.local.models.concurrency import in_thread
from livekit.plugins.local.models.errors import Refused

from .base import Order, Source


class BundleSource(Source):
    """One file that `eloquence models export` wrote.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self._path)

    async def fetch(self, order: Order) -> None:
        """Copy the files of ``order``.

        Raises:
            Refused: It is not a bundle, or one of them is not in it, or damaged.
        """
        try:
            bundle = await in_thread(open_bundle, self._path)
        except FileNotFoundError:
            raise Refused("not_found", "there is no such file") from None
        order.tally.begin(sum(file.size for file in order.files))
        missing = [file for file in order.files if file.sha256 not in bundle.offsets]
        for file in order.files:
            if file not in missing:
                target = order.partial / file.sha256
                await in_thread(bundle.copy, file, target)
                order.tally.arrived(file.name, file.size)
                order.tally.verifying(file.name)
                await order.accept(file, target)
        if missing:
            raise Refused("not_found", f"it has no {missing[0].name}")
