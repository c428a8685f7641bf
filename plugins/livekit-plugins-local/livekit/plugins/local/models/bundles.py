"""Bundles: models in one file, to be carried to a machine without any network.

A bundle is an uncompressed tar: first ``manifest.json``, then each file as ``sha256/HEX``. Nothing
in it is a path to write to: members are looked up by the hash that the manifest states, and what
is not in the manifest, or is no plain file, condemns the whole.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import TypeAdapter, ValidationError

from .archives import CHUNK
from .errors import Refused
from .manifest import Model, ModelFile

FORMAT = "eloquence-models"
VERSION = 1
MANIFEST = "manifest.json"
_MANIFEST_BYTES = 4 << 20
_MODELS = TypeAdapter(tuple[Model, ...])


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that is whole as far as its headers tell.

    Attributes:
        path: The file.
        models: What is in it.
        offsets: Where in the file the content of each hash begins.
    """

    path: Path
    models: tuple[Model, ...]
    offsets: Mapping[str, int]

    @property
    def files(self) -> dict[str, ModelFile]:
        """The files of its models, by hash."""
        return files_of(self.models)

    def copy(self, file: ModelFile, target: Path) -> None:
        """Write the content of ``file`` to ``target``; its hash is not checked.

        Raises:
            Refused: The bundle ends before the content does.
        """
        left = file.size
        with self.path.open("rb") as content, target.open("wb") as copy:
            content.seek(self.offsets[file.sha256])
            while left and (chunk := content.read(min(CHUNK, left))):
                copy.write(chunk)
                left -= len(chunk)
        if left:
            raise damaged(self.path, "it ends too early")


def damaged(path: Path, reason: str) -> Refused:
    """Return the error for a bundle that is not what it should be."""
    return Refused("bad_bundle", reason, {"bundle": path, "reason": reason})


def foreign(path: Path, reason: str) -> Refused:
    """Return the error for a bundle of another version."""
    return Refused("bundle_version", reason, {"bundle": path, "reason": reason})


def files_of(models: Sequence[Model]) -> dict[str, ModelFile]:
    """Return the files of models by hash: each once."""
    return {file.sha256: file for model in models for file in model.files}


def write_bundle(
    path: Path,
    models: Sequence[Model],
    blob: Callable[[ModelFile], Path],
) -> None:
    """Write a bundle; it appears under its name complete or not at all.

    Args:
        path: The file; one that is there is replaced.
        models: What goes in.
        blob: Where the verified content of a file is.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                manifest = _manifest(models)
                _add(archive, MANIFEST, len(manifest), io.BytesIO(manifest))
                for sha256, each in files_of(models).items():
                    with blob(each).open("rb") as content:
                        _add(archive, f"sha256/{sha256}", each.size, content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def open_bundle(path: Path) -> Bundle:
    """Read the manifest and the headers of a bundle; its content is not read.

    Raises:
        Refused: It is no bundle, has another version, or is damaged.
        OSError: It cannot be read.
    """
    with path.open("rb") as file, _readable(path), tarfile.open(fileobj=file, mode="r:") as archive:
        first = archive.next()
        content = archive.extractfile(first) if first and first.isreg() else None
        if first is None or content is None or first.name != MANIFEST:
            raise damaged(path, f"it does not begin with {MANIFEST}")
        if first.size > _MANIFEST_BYTES:
            raise damaged(path, f"its {MANIFEST} is too long")
        models = _parse(path, content.read())
        wanted = {f"sha256/{sha256}": file for sha256, file in files_of(models).items()}
        offsets: dict[str, int] = {}
        end = os.fstat(file.fileno()).st_size
        while member := archive.next():
            each = wanted.get(member.name)
            if each is None or not member.isreg() or member.issparse():
                raise damaged(path, f"it contains {member.name!r}, which is no file of its models")
            if member.size != each.size or member.offset_data + member.size > end:
                raise damaged(path, f"its {each.name} is not {each.size} bytes long")
            offsets[each.sha256] = member.offset_data
    missing = [file.name for file in wanted.values() if file.sha256 not in offsets]
    if missing:
        raise damaged(path, f"it lacks {missing[0]}")
    return Bundle(path, models, offsets)


def _manifest(models: Sequence[Model]) -> bytes:
    listed = _MODELS.dump_python(tuple(models), mode="json")
    return json.dumps({"format": FORMAT, "version": VERSION, "models": listed}, indent=1).encode()


def _parse(path: Path, content: bytes) -> tuple[Model, ...]:
    try:
        manifest = json.loads(content)
        if manifest["format"] != FORMAT:
            raise KeyError(FORMAT)
        version = manifest["version"]
    except (ValueError, KeyError, TypeError):
        raise damaged(path, f"its {MANIFEST} is not one of a bundle") from None
    if version != VERSION:
        reason = f"it has format version {version}, and this one reads {VERSION}"
        raise foreign(path, reason)
    try:
        return _MODELS.validate_python(manifest.get("models"))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise damaged(path, f"its {MANIFEST} is wrong at {where or 'models'}") from None


def _add(archive: tarfile.TarFile, name: str, size: int, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError):
        raise damaged(path, "it is not a tar archive, or a damaged one") from None
