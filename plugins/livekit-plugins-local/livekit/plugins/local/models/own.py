"""Models that no manifest lists: a path of the user's, or any repository of the hub.

A repository is described once, when it is fetched: the description goes into ``ROOT/own``, with the
commit and the hash of each file, and from then on the model is as fixed as those of the manifest.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from .blobs import digest, length
from .concurrency import in_thread
from .download import download
from .errors import Refused, model_error
from .manifest import HubRepo, Model, ModelFile
from .sources import Hub, Order
from .sources.hub_api import RemoteFile, describe

# What Whisper in CTranslate2 format consists of. Without a tokenizer.json, the library that loads
# it would ask the hub for one, whatever it was told.
REQUIRED = ("config.json", "model.bin", "tokenizer.json", "vocabulary.*")
_WANTED = (*REQUIRED, "preprocessor_config.json")
_HUB_NAME = re.compile(
    r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(/(?P<file>\w[\w.-]*\.gguf))?(@(?P<revision>\w[\w.-]*))?"
)
_GGUF = b"GGUF"
_FIRST_OF_SPLIT = "-00001-of-"
_MODEL = TypeAdapter(Model)


@dataclass(frozen=True, slots=True)
class Repository:
    """What a model's name says of the hub.

    Attributes:
        hub: The repository, at a revision that may still move.
        file: The file of it that is a language model; empty for a recogniser, which is all of it.
    """

    hub: HubRepo
    file: str = ""

    @property
    def kind(self) -> Literal["stt", "llm"]:
        """What the model is for."""
        return "llm" if self.file else "stt"

    @property
    def id(self) -> str:
        """The model's id: its directory in the store."""
        parts = [self.hub.repo.replace("/", "--"), self.file, self.hub.revision]
        return "--".join(filter(None, parts))


def directory_of(name: str) -> Path | None:
    """Return the path that a model's name is; None if it is none."""
    return Path(name).expanduser() if re.match(r"(/|~|\.\.?/)", name) else None


def repository_of(name: str) -> Repository | None:
    """Return what ``ORG/NAME`` is, or ``ORG/NAME/FILE.gguf``, each with ``@REVISION`` or without.

    Returns:
        None for any other name.
    """
    if match := _HUB_NAME.fullmatch(name):
        return Repository(HubRepo(match["repo"], match["revision"] or "main"), match["file"] or "")
    return None


def is_own(name: str) -> bool:
    """Whether a model's name is a path or a repository."""
    return directory_of(name) is not None or repository_of(name) is not None


def check_directory(path: Path) -> Path:
    """Return a directory if it holds a model.

    Raises:
        ModelError: There is none, or it lacks a file.
    """
    if not path.is_dir():
        raise model_error("no_such_path", path=path)
    if lacking := _lacking([file.name for file in path.iterdir()]):
        raise model_error("wrong_format", model=path, reason=f"it has no {lacking}")
    return path


def check_gguf(path: Path) -> Path:
    """Return the file of a language model: the path itself, or the one in it if it is a directory.

    Raises:
        ModelError: There is none, or it is of another kind.
    """
    file = path
    if path.is_dir():
        found = sorted(path.glob("*.gguf"))
        if not found:
            raise model_error("not_gguf", model=path, reason="it has no file `*.gguf`")
        file = found[0]
        if len(found) > 1 and _FIRST_OF_SPLIT not in file.name:
            raise model_error("not_gguf", model=path, reason="it has several; name one of them")
    if not file.is_file():
        raise model_error("no_such_path", path=path)
    with file.open("rb") as content:
        if content.read(len(_GGUF)) != _GGUF:
            raise model_error("not_gguf", model=file, reason="it does not begin as such files do")
    return file


class OwnModels:
    """The directory ``ROOT/own``: descriptions of repositories that were fetched.

    Args:
        root: Root of the store.
    """

    def __init__(self, root: Path) -> None:
        self._directory = root / "own"

    def __iter__(self) -> Iterator[Model]:
        """Yield the models that have been described."""
        for path in sorted(self._directory.glob("*.json")):
            if model := _read(path):
                yield model

    def find(self, repo: Repository) -> Model | None:
        """Return the model of a repository, if it was described before."""
        return _read(self._path(repo.id))

    def forget(self, model: Model) -> None:
        """Drop the description of a repository, if there is one."""
        self._path(model.id).unlink(missing_ok=True)

    def keep(self, model: Model) -> None:
        """Write down the description of a repository."""
        path = self._path(model.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(_MODEL.dump_json(model, indent=1))
        fresh.replace(path)

    def _path(self, model_id: str) -> Path:
        return self._directory / f"{model_id}.json"


def is_description(model: Model) -> bool:
    """Whether a model could be what `resolve` makes of its repository."""
    owner, name = model.hub.repo.split("/")
    return model.id.startswith(f"{owner}--{name}--") and model.kind in ("stt", "llm")


async def resolve(name: str, repo: Repository, hub: Hub, order: Order) -> Model:
    """Describe a repository, and fetch its small files, of which the hub tells no SHA-256.

    Args:
        name: What the user calls the model.
        repo: The repository.
        hub: The hub.
        order: Where to work and whom to give the files; its list of files is not looked at.

    Raises:
        Refused: The hub does not give it.
        ModelError: It is not a model that we can load.
    """
    commit, listed = await describe(hub, repo.hub)
    wanted = (repo.file,) if repo.file else _WANTED
    files = [file for file in listed if any(fnmatchcase(file.name, each) for each in wanted)]
    if repo.file and not files:
        raise Refused("not_found", f"{repo.hub.repo} has no {repo.file}")
    if not repo.file and (lacking := _lacking([file.name for file in files])):
        raise model_error("wrong_format", model=name, reason=f"it has no {lacking}")
    fixed = HubRepo(repo.hub.repo, commit)
    try:
        return Model(
            repo.id,
            repo.kind,
            f"{name}, from the hub",
            "see the hub",
            repo.hub.repo.partition("/")[0],
            fixed,
            tuple([await _described(file, fixed, hub, order) for file in files]),
        )
    except ValidationError:
        raise model_error("wrong_format", model=name, reason="its files have odd names") from None


async def _described(file: RemoteFile, repo: HubRepo, hub: Hub, order: Order) -> ModelFile:
    if file.sha256:
        return ModelFile(file.name, file.sha256, file.size)
    target = order.partial / f"git-{file.git}"
    # Only to name it: its hash is what is to be found out.
    unknown = ModelFile(file.name, "0" * 64, file.size)
    await download(
        order.session,
        hub.url(repo, unknown),
        target,
        size=file.size,
        on_bytes=lambda have: order.tally.arrived(file.name, have),
        headers=await hub.headers(),
    )
    content = await in_thread(target.read_bytes)
    if hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != file.git:
        await in_thread(target.unlink)
        raise Refused("hash_mismatch", f"{file.name} has other bytes than expected")
    known = ModelFile(file.name, await in_thread(digest, target, "sha256"), length(target))
    await order.accept(known, target)
    return known


def _lacking(names: list[str]) -> str | None:
    """Return what is missing for a model among the names of files."""
    return next((one for one in REQUIRED if not any(fnmatchcase(n, one) for n in names)), None)


def _read(path: Path) -> Model | None:
    try:
        return _MODEL.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
