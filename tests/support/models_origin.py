"""A hub and package registries on loopback, with the faults of the real ones, for the model store.

Only what pip and npm would print is made up; every byte goes over real HTTP.
"""

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from livekit.plugins.local.models import Manifest, Model, ModelFile
from livekit.plugins.local.models.manifest import Ecosystem, HubRepo, Mirror, Package
from livekit.plugins.local.models.sources import NpmResolver, PipResolver, Resolver
from livekit.plugins.local.models.sources.client import Answer

CHUNK = 4096


@dataclass
class Fault:
    """What goes wrong with one path.

    Attributes:
        hold_after: Bytes after which an answer waits for ``release``.
        hold_at: Byte of the content before which any answer does, wherever it began.
        trickle: While it waits, a piece is sent each so many seconds, as on a slow line.
        release: Lets it go on.
        reached: Set when it waits.
        cut: The connection then breaks, instead.
        status: Answered instead of the content.
        headers: Go with that status.
        no_ranges: The whole is sent, whatever range was asked for.
        unannounced: The length is not told beforehand.
    """

    hold_after: int | None = None
    hold_at: int | None = None
    trickle: float | None = None
    release: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    cut: bool = False
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    no_ranges: bool = False
    unannounced: bool = False

    def go_on_until(self, hold_after: int | None) -> None:
        """Let a held answer go on, to the end or to a later hold."""
        release, self.hold_after, self.release = self.release, hold_after, asyncio.Event()
        self.reached.clear()
        release.set()

    async def hold(self, position: int, sent: int) -> None:
        """Wait if it is time to.

        Args:
            position: Byte of the content that is sent next.
            sent: How many this answer has brought.
        """
        limits = ((sent, self.hold_after), (position, self.hold_at))
        if any(limit is not None and come >= limit for come, limit in limits):
            self.reached.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.trickle):
                    await self.release.wait()


@dataclass
class Request:
    """One request that arrived: path, first byte asked for, and bytes sent in answer."""

    path: str
    start: int
    authorization: str | None
    sent: int = 0


class Origin:
    """The server: content per path, faults per path, and what was asked of it.

    Attributes:
        chunk: Bytes that are sent at a time.
    """

    def __init__(self) -> None:
        self.url = ""
        self.chunk = CHUNK
        self.content: dict[str, bytes] = {}
        self.faults: dict[str, Fault] = {}
        self.requests: list[Request] = []
        self.resolved: list[str] = []

    def sent(self, path: str) -> int:
        """Bytes of content that went out for ``path``, over all requests."""
        return sum(request.sent for request in self.requests if request.path == path)

    def asked(self, path: str) -> list[int]:
        """First byte of each request for ``path``."""
        return [request.start for request in self.requests if request.path == path]

    def add_hub_file(self, model: Model, file: ModelFile, content: bytes) -> str:
        """Put a file where the hub has it, and return the path."""
        folder = f"{model.hub.folder}/" if model.hub.folder else ""
        path = f"/{model.hub.repo}/resolve/{model.hub.revision}/{folder}{file.name}"
        self.content[path] = content
        return path

    def add_repository(
        self,
        repo: str,
        files: Mapping[str, bytes],
        *,
        revision: str = "main",
        commit: str = "c0ffee",
        large: int = 1000,
    ) -> None:
        """Put a repository on the hub, as the hub's API describes it; long files are in Git LFS."""
        siblings: list[dict[str, object]] = []
        for name, content in files.items():
            self.content[f"/{repo}/resolve/{commit}/{name}"] = content
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": blob}
            if len(content) >= large:
                sha256 = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        answer = {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings}
        self.content[f"/api/models/{repo}/revision/{revision}"] = json.dumps(answer).encode()

    def add_package(self, ecosystem: Ecosystem, name: str, members: Mapping[str, bytes]) -> Package:
        """Publish a package, and return it as a manifest lists it: with no members yet."""
        archive = wheel(members) if ecosystem == "pypi" else tarball(members)
        self.content[f"/{ecosystem}/{name}"] = archive
        return Package(name, "1.0.0", len(archive))

    def resolvers(self) -> dict[Ecosystem, Resolver]:
        """Return the real resolvers, over clients that know this server's packages."""
        return {
            "pypi": PipResolver(self._pip, lambda _: ""),
            "npm": NpmResolver(self._npm, str),
        }

    async def _pip(self, command: Sequence[str]) -> Answer:
        install = []
        for specifier in (argument for argument in command if "==" in argument):
            name = specifier.partition("==")[0]
            self.resolved.append(name)
            if f"/pypi/{name}" not in self.content:
                return Answer(1, "", f"ERROR: No matching distribution found for {specifier}\n")
            sha256 = hashlib.sha256(self.content[f"/pypi/{name}"]).hexdigest()
            info = {
                "url": f"{self.url}/pypi/{name}",
                "archive_info": {"hashes": {"sha256": sha256}},
            }
            metadata = {"name": name.replace("-", "_"), "version": "1.0.0"}
            install.append({"metadata": metadata, "download_info": info})
        # pip reports in an order of its own.
        return Answer(0, json.dumps({"version": "1", "install": install[::-1]}), "")

    async def _npm(self, command: Sequence[str]) -> Answer:
        name = command[2].rpartition("@")[0]
        self.resolved.append(name)
        if f"/npm/{name}" not in self.content:
            return Answer(1, json.dumps({"error": {"code": "E404", "summary": "Not Found"}}), "")
        sha512 = hashlib.sha512(self.content[f"/npm/{name}"]).digest()
        integrity = f"sha512-{base64.b64encode(sha512).decode()}"
        return Answer(
            0, json.dumps({"integrity": integrity, "tarball": f"{self.url}/npm/{name}"}), ""
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one GET."""
        fault = self.faults.get(request.path, Fault())
        first = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        seen = Request(request.path, first, request.headers.get("Authorization"))
        self.requests.append(seen)
        if fault.status:
            await fault.hold(0, 0)
            return web.Response(status=fault.status, headers=fault.headers)
        if request.path not in self.content:
            return web.Response(status=404)
        content = self.content[request.path]
        if fault.no_ranges:
            first = 0
        if first >= len(content):
            return web.Response(status=416)
        response = web.StreamResponse(status=206 if first else 200)
        if fault.unannounced:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(content) - first
        await response.prepare(request)
        for position in range(first, len(content), self.chunk):
            await fault.hold(position, seen.sent)
            if fault.cut and fault.release.is_set():
                assert request.transport
                request.transport.close()
                return response
            piece = content[position : position + self.chunk]
            await response.write(piece)
            seen.sent += len(piece)
        return response


@asynccontextmanager
async def run_origin() -> AsyncIterator[Origin]:
    """Serve an `Origin` on a free port of this machine."""
    origin = Origin()
    app = web.Application()
    app.router.add_get("/{path:.*}", origin.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        origin.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield origin
    finally:
        await runner.cleanup()


@asynccontextmanager
async def run_hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    """Serve an `Origin` that is the hub, for this process and those it starts."""
    async with run_origin() as origin:
        monkeypatch.setenv("HF_ENDPOINT", origin.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield origin


def model_file(name: str, content: bytes) -> ModelFile:
    """Return the manifest's entry for a file."""
    return ModelFile(name, hashlib.sha256(content).hexdigest(), len(content))


def model(
    files: Mapping[str, bytes], *mirrors: Mirror, model_id: str = "small", repo: str = "some/model"
) -> Model:
    """Return a model with these files."""
    entries = tuple(model_file(name, content) for name, content in files.items())
    return Model(
        model_id, "stt", "A model", "MIT", "Somebody", HubRepo(repo, "abc123"), entries, mirrors
    )


def manifest(*models: Model) -> Manifest:
    """Return a manifest of these models."""
    return Manifest(models)


def carrying(package: Package, members: Mapping[str, str]) -> Package:
    """Return ``package`` as the carrier of files of a model: name there to path in the archive."""
    return Package(package.name, package.version, package.size, members=dict(members))


def wheel(members: Mapping[str, bytes]) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarball(members: Mapping[str, bytes]) -> bytes:
    """Return a gzipped tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
