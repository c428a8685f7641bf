"""Bundles: what is carried arrives, and whatever is wrong with one leaves the store as it was."""

import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from livekit.plugins.local.models import (
    Model,
    ModelError,
    ModelStore,
    Progress,
    export_models,
    import_models,
)

from tests.support.models_origin import Origin, manifest, model, run_origin

pytestmark = pytest.mark.unit

FILES = {"config.json": b'{"a": 1}', "model.bin": os.urandom(50_000)}
ENTRY = model(FILES)
SHARING = model({"config.json": b'{"a": 1}', "other.bin": b"x" * 2000}, model_id="sharing")

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    async with run_origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        for entry, files in ((ENTRY, FILES), (SHARING, {"other.bin": b"x" * 2000})):
            for file in entry.files:
                if file.name in files:
                    server.add_hub_file(entry, file, files[file.name])
        yield server


def store_of(root: Path, *models: Model, free: int = 10**9) -> ModelStore:
    listed = models or (ENTRY, SHARING)
    return ModelStore(root, manifest=manifest(*listed), sources=("hub",), free=lambda _: free)


@pytest.fixture
async def full(origin: Origin, tmp_path: Path) -> ModelStore:
    """A store with both models."""
    store = store_of(tmp_path / "full")
    for name in ("small", "sharing"):
        await store.ensure(name)
    return store


@pytest.fixture
async def bundle(full: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of both, on a machine that has no network any more."""
    path = tmp_path / "models.tar"
    await export_models(full, path, ["small", "sharing"])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return path


def everything(root: Path) -> dict[str, bytes]:
    """Whatever is in a store, but for empty directories and locks."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def members(path: Path) -> Members:
    with tarfile.open(path) as archive:
        found: Members = []
        for member in archive:
            content = archive.extractfile(member)
            found.append((member, content.read() if content else b""))
        return found


def rewrite(path: Path, changed: Members) -> None:
    with tarfile.open(path, "w") as archive:
        for member, content in changed:
            archive.addfile(member, io.BytesIO(content))


async def refused(path: Path, store: ModelStore) -> ModelError:
    before = everything(store.root)
    with pytest.raises(ModelError) as caught:
        await import_models(store, path)
    assert everything(store.root) == before
    assert str(path) in caught.value.message or caught.value.code == "disk_too_small"
    return caught.value


async def test_what_is_exported_can_be_imported_without_any_network(
    bundle: Path, tmp_path: Path, origin: Origin
) -> None:
    store = store_of(tmp_path / "new")
    origin.requests.clear()
    seen: list[Progress] = []
    assert await import_models(store, bundle, seen.append) == ["small", "sharing"]
    directory = await store.ensure("small")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == FILES
    assert store.locate("sharing")
    assert await store.verify("small") == []
    assert origin.requests == []
    assert seen[-1].state == "ready"
    # What models share is carried once, and the file is what its name promises: a plain tar.
    names = [member.name for member, _ in members(bundle)]
    assert names[0] == "manifest.json"
    assert len(names) == len(set(names)) == 4


async def test_importing_again_changes_nothing(bundle: Path, full: ModelStore) -> None:
    before = everything(full.root)
    await import_models(full, bundle)
    assert everything(full.root) == before


async def test_a_model_of_ones_own_is_carried_with_its_description(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FILES | {"tokenizer.json": b"{}", "vocabulary.txt": b"a"}
    origin.add_repository("my/own", files)
    store = store_of(tmp_path / "one")
    await store.ensure("my/own")
    await export_models(store, tmp_path / "own.tar", ["my/own"])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    other = store_of(tmp_path / "two")
    await import_models(other, tmp_path / "own.tar")
    directory = await other.ensure("my/own")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == files


async def test_a_bundle_can_be_a_source(bundle: Path, tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "new", manifest=manifest(ENTRY), sources=("hub", str(bundle)))
    directory = await store.ensure("small")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == FILES


async def test_what_is_not_here_or_damaged_is_not_exported(
    full: ModelStore, tmp_path: Path
) -> None:
    path = tmp_path / "models.tar"
    with pytest.raises(ModelError) as absent:
        await export_models(store_of(tmp_path / "empty"), path, ["small"])
    assert absent.value.code == "absent"
    (full.root / "models" / "small" / "model.bin").write_bytes(b"x" * 50_000)
    with pytest.raises(ModelError) as corrupt:
        await export_models(full, path, ["small"])
    assert corrupt.value.code == "corrupt"
    assert not [*tmp_path.glob("*.tar*"), *tmp_path.glob(".*.partial")]


async def test_a_place_that_cannot_be_written_is_a_clear_error(
    full: ModelStore, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        await export_models(full, tmp_path / "full" / "sha256", ["small"])
    assert caught.value.code == "permission_denied"


def climbing(found: Members) -> None:
    found[1][0].name = "../../escaped"


def absolute(found: Members) -> None:
    found[1][0].name = "/tmp/escaped"


def link(found: Members) -> None:
    found[1][0].type, found[1][0].linkname, found[1][0].size = tarfile.SYMTYPE, "/etc/passwd", 0


def hard_link(found: Members) -> None:
    found[1][0].type, found[1][0].linkname, found[1][0].size = tarfile.LNKTYPE, "manifest.json", 0


def surplus(found: Members) -> None:
    info = tarfile.TarInfo("setup.py")
    found.append((info, b""))


def lacking(found: Members) -> None:
    del found[1]


def reversed_bytes(found: Members) -> None:
    member, content = max(found, key=lambda each: each[0].size)
    found[found.index((member, content))] = (member, content[::-1])


def shortened(found: Members) -> None:
    found[1][0].size -= 1


def no_manifest(found: Members) -> None:
    del found[0]


def nonsense(found: Members) -> None:
    found[0][0].size = 3
    found[0] = (found[0][0], b"{1}")


def edited(change: Callable[[Any], None]) -> Callable[[Members], None]:
    def apply(found: Members) -> None:
        content = json.loads(found[0][1])
        change(content)
        encoded = json.dumps(content).encode()
        found[0][0].size = len(encoded)
        found[0] = (found[0][0], encoded)

    return apply


def wrong_hash(content: Any) -> None:
    content["models"][0]["files"][0]["sha256"] = "0" * 64


def climbing_name(content: Any) -> None:
    content["models"][0]["files"][0]["name"] = "../../escaped"


def climbing_id(content: Any) -> None:
    content["models"][0]["id"] = "../escaped"


@pytest.mark.parametrize(
    "spoil",
    [
        climbing,
        absolute,
        link,
        hard_link,
        surplus,
        lacking,
        reversed_bytes,
        shortened,
        no_manifest,
        nonsense,
        edited(wrong_hash),
        edited(climbing_name),
        edited(climbing_id),
        edited(lambda content: content.pop("format")),
        edited(lambda content: content.pop("models")),
    ],
)
async def test_a_spoiled_bundle_is_refused(
    bundle: Path, tmp_path: Path, spoil: Callable[[Members], None]
) -> None:
    found = members(bundle)
    spoil(found)
    rewrite(bundle, found)
    error = await refused(bundle, store_of(tmp_path / "new"))
    assert error.code == "bad_bundle"
    assert not [*tmp_path.rglob("escaped")]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(version=2),
        lambda content: content["models"][0].update(id="a-model-of-the-future"),
    ],
)
async def test_a_bundle_for_another_version_is_refused(
    bundle: Path, tmp_path: Path, change: Callable[[Any], None]
) -> None:
    found = members(bundle)
    edited(change)(found)
    rewrite(bundle, found)
    assert (await refused(bundle, store_of(tmp_path / "new"))).code == "bundle_version"


async def test_another_model_of_the_same_name_is_refused(bundle: Path, tmp_path: Path) -> None:
    newer = model(FILES | {"model.bin": b"newer"})
    error = await refused(bundle, store_of(tmp_path / "new", newer, SHARING))
    assert error.code == "bundle_version"


@pytest.mark.parametrize("length", [0, 100, 2000, 30_000, -1])
async def test_a_truncated_bundle_is_refused(bundle: Path, tmp_path: Path, length: int) -> None:
    size = members(bundle)[2][0].offset_data if length == -1 else length
    os.truncate(bundle, size)
    assert (await refused(bundle, store_of(tmp_path / "new"))).code == "bad_bundle"


async def test_a_bundle_that_is_not_there_is_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path / "new")
    assert (await refused(tmp_path / "nowhere.tar", store)).code == "bad_bundle"
    assert (await refused(tmp_path, store)).code == "bad_bundle"


async def test_a_bundle_that_does_not_fit_is_refused_before_it_is_copied(
    bundle: Path, tmp_path: Path
) -> None:
    store = store_of(tmp_path / "new", free=1000)
    error = await refused(bundle, store)
    assert error.code == "disk_too_small"
    assert not store.root.exists()
