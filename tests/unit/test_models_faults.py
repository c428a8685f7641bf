"""The store under real faults: kills, two processes at once, full, read-only and foreign disks."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.models_origin import Fault, Origin, model, run_origin
from tests.support.store_process import StoreProcess, run_store_process

pytestmark = pytest.mark.unit

CONFIG = b'{"a": 1}'
WEIGHTS = os.urandom(1_000_000)
FILES = {"config.json": CONFIG, "model.bin": WEIGHTS}
ENTRY = model(FILES)
DEADLINE = 30


@pytest.fixture
async def origin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Origin]:
    """A hub with the model, which processes started from here ask."""
    async with run_origin() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        for file in ENTRY.files:
            server.add_hub_file(ENTRY, file, FILES[file.name])
        yield server


@pytest.fixture
async def process(origin: Origin) -> AsyncIterator[StoreProcess]:
    async with run_store_process() as running:
        yield running


@pytest.fixture
async def mounting(origin: Origin) -> AsyncIterator[StoreProcess]:
    """A process whose mounts nobody else sees."""
    async with run_store_process(own_disks=True) as running:
        yield running


def weights_path(entry: Any = ENTRY) -> str:
    return f"/{entry.hub.repo}/resolve/{entry.hub.revision}/model.bin"


def partial_length(root: Path) -> int:
    """How much of model.bin an unfinished fetch has put on the disk."""
    path = root / "partial" / "small" / ENTRY.files[1].sha256
    return path.stat().st_size if path.exists() else 0


def assert_files(answer: dict[str, Any]) -> None:
    assert answer.get("result"), answer
    files = {name: bytes.fromhex(content) for name, content in answer["result"]["files"].items()}
    assert files == FILES


async def test_ten_kills_at_random_points_and_the_next_pull_resumes_and_verifies(
    origin: Origin, process: StoreProcess, tmp_path: Path
) -> None:
    path, seed = weights_path(), random.randrange(1 << 32)
    chance = random.Random(seed)
    for kill in range(10):
        # The last ones near the end: while it is verified, moved, linked.
        late, before = kill >= 7, partial_length(tmp_path)
        origin.faults[path] = fault = Fault(
            hold_after=None if late else chance.randrange(4096, 120_000)
        )
        pid = await process.begin("ensure", tmp_path, ENTRY)
        async with asyncio.timeout(DEADLINE):
            while partial_length(tmp_path) <= before and not (tmp_path / "models/small").exists():
                await asyncio.sleep(0)
        await asyncio.sleep(chance.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        await process.end()
        fault.release.set()
    origin.faults.clear()
    assert_files(await process.do("ensure", tmp_path, ENTRY))
    assert (await process.do("verify", tmp_path, ENTRY)) == {"result": []}, f"seed {seed}"
    starts = origin.asked(path)
    assert len(starts) >= 8
    assert starts == sorted(set(starts)), f"each takes up what the last one left (seed {seed})"
    assert not (tmp_path / "partial" / "small").exists()


async def test_two_processes_download_once_and_the_second_sees_how_far_it_is(
    origin: Origin, process: StoreProcess, tmp_path: Path
) -> None:
    path = weights_path()
    origin.faults[path] = held = Fault(hold_after=300_000)
    async with run_store_process() as other:
        await process.begin("ensure", tmp_path, ENTRY)
        await asyncio.wait_for(held.reached.wait(), DEADLINE)
        await other.begin("ensure", tmp_path, ENTRY)
        joined = asyncio.create_task(other.end())
        # What the holder has said of its progress is in its lock, for the other to read.
        lock = tmp_path / "locks" / "small.lock"
        for position in range(400_000, 1_000_000, 100_000):
            held.go_on_until(position)
            await asyncio.wait_for(held.reached.wait(), DEADLINE)
            done, _ = await asyncio.wait([joined], timeout=0.15)
            assert not done
        assert b"downloading" in lock.read_bytes()
        held.go_on_until(None)
        assert_files(await process.end())
        second = await joined
    assert_files(second)
    assert origin.sent(path) == len(WEIGHTS)
    assert origin.asked(path) == [0]
    assert any(0 < done < len(WEIGHTS) for done in second["result"]["seen"])


async def test_a_disk_that_fills_up_while_writing_says_so_and_the_rest_comes_later(
    origin: Origin, mounting: StoreProcess, tmp_path: Path
) -> None:
    await mounting.shell("mount", "-t", "tmpfs", "-o", "size=1200k", "none", str(tmp_path))
    origin.faults[weights_path()] = held = Fault(hold_after=8_000)
    await mounting.begin("ensure", tmp_path, ENTRY)
    await asyncio.wait_for(held.reached.wait(), DEADLINE)
    # It had enough room when it began; now somebody else takes it.
    filler = Path(f"/proc/{mounting.pid}/root{tmp_path}/filler")
    filler.write_bytes(bytes(700_000))
    held.release.set()
    answer = await mounting.end()
    assert answer["code"] == "disk_full"
    assert f"The disk is full ({tmp_path}); free some space there" in answer["message"]
    filler.unlink()
    del origin.faults[weights_path()]
    assert_files(await mounting.do("ensure", tmp_path, ENTRY))


async def test_a_disk_that_is_too_small_is_refused_before_the_first_byte(
    origin: Origin, mounting: StoreProcess, tmp_path: Path
) -> None:
    await mounting.shell("mount", "-t", "tmpfs", "-o", "size=600k", "none", str(tmp_path))
    for do in ("require_space", "ensure"):
        answer = await mounting.do(do, tmp_path, ENTRY)
        assert answer["code"] == "disk_too_small"
        needs = f"Fetching small needs 1 MB in {tmp_path}, where "
        assert answer["message"].startswith(needs)
    assert origin.requests == []


async def test_a_read_only_disk_is_a_clear_error_and_what_is_on_it_can_be_used(
    origin: Origin, mounting: StoreProcess, tmp_path: Path
) -> None:
    assert_files(await mounting.do("ensure", tmp_path, ENTRY))
    other = model({"other.bin": b"1"}, model_id="other", repo="an/other")
    origin.add_hub_file(other, other.files[0], b"1")
    # Without their marks, as another version of the store would have left them: they are read.
    for blob in (tmp_path / "sha256").iterdir():
        os.utime(blob)
    await mounting.shell("mount", "--bind", str(tmp_path), str(tmp_path))
    await mounting.shell("mount", "-o", "remount,bind,ro", str(tmp_path))
    assert_files(await mounting.do("ensure", tmp_path, ENTRY))
    answer = await mounting.do("ensure", tmp_path, ENTRY, other, name="other")
    assert answer["code"] == "permission_denied"
    assert "Read-only file system" in answer["message"]
    assert str(tmp_path) in answer["message"]


@pytest.mark.parametrize("elsewhere", ["partial", "models", "sha256"])
async def test_a_store_may_be_spread_over_disks(
    origin: Origin, mounting: StoreProcess, tmp_path: Path, elsewhere: str
) -> None:
    store, disk = tmp_path / "store", tmp_path / "a" / "disk"
    disk.mkdir(parents=True)
    store.mkdir()
    await mounting.shell("mount", "-t", "tmpfs", "none", str(disk))
    (store / elsewhere).symlink_to(disk)
    assert_files(await mounting.do("ensure", store, ENTRY))
    origin.requests.clear()
    assert_files(await mounting.do("ensure", store, ENTRY))
    assert origin.requests == []
