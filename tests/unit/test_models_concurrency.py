"""The lock among processes: who waits is woken by it, and may give up at any time."""

import asyncio
from pathlib import Path

import pytest
from livekit.plugins.local.models.concurrency import locked

pytestmark = pytest.mark.unit

DEADLINE = 10


async def take(path: Path, taken: asyncio.Event) -> None:
    async with locked(path):
        taken.set()


async def test_who_waits_hears_what_the_holder_says_and_is_woken_by_the_lock_itself(
    tmp_path: Path,
) -> None:
    heard: list[str] = []

    async def wait() -> None:
        async with locked(tmp_path / "lock", heard.append):
            heard.append("mine")

    async with locked(tmp_path / "lock") as held:
        held.say("half way")
        waiting = asyncio.create_task(wait())
        async with asyncio.timeout(DEADLINE):
            while not heard:
                await asyncio.sleep(0)
            assert heard == ["half way"], "said before it listened"
            held.say("nearly")
            while len(heard) < 2:
                await asyncio.sleep(0)
    await asyncio.wait_for(waiting, DEADLINE)
    assert heard == ["half way", "nearly", "mine"]
    assert list((tmp_path / "lock.waiting").iterdir()) == []


async def test_who_died_while_waiting_is_forgotten(tmp_path: Path) -> None:
    (registry := tmp_path / "lock.waiting").mkdir()
    (registry / "dead").write_text(str(tmp_path / "no-socket"))
    async with locked(tmp_path / "lock") as held:
        held.say("anything")
    assert list(registry.iterdir()) == []


async def test_who_gives_up_does_so_at_once_and_keeps_nobody_from_the_lock(tmp_path: Path) -> None:
    path, taken = tmp_path / "lock", asyncio.Event()
    async with locked(path):
        impatient = asyncio.create_task(take(path, taken))
        await asyncio.sleep(0.05)  # long enough to hang in the kernel
        impatient.cancel()
        await asyncio.wait({impatient}, timeout=DEADLINE)
        assert impatient.cancelled()
    assert not taken.is_set()
    # It is next in the kernel's line, and lets go at once.
    await asyncio.wait_for(take(path, taken), DEADLINE)
    assert taken.is_set()
