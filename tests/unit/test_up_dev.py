"""Watch mode: which saves bring a new worker, and what is said of the others."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

import agent.up.dev
from agent.readiness_feed import told_by
from agent.settings import Settings
from agent.up.board import Board
from agent.up.dev import Watch, reloader
from agent.up.plan import Service
from agent.up.warm import Zygote

pytestmark = pytest.mark.unit


class Told(Board):
    """A board that remembers complaints."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True))
        self.complaints: list[str] = []

    def complain(self, sentence: str) -> None:
        self.complaints.append(sentence)


class NoZygote(Zygote):
    """Starts no process, and counts how often it was to."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.renewed = 0

    async def renew(self) -> None:
        self.renewed += 1


class Development:
    """A watch over a source of its own, with workers that get ready when they are let."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.begun = 0
        self.taken_over: list[Service] = []
        self.ready = asyncio.Event()
        self.ready.set()
        self.fails = False
        self.zygote = NoZygote()
        board = Told()
        self.complaints = board.complaints
        self.watch = Watch(board, self._replace, reloader(), self.zygote)

    async def _replace(self, service: Service) -> bool:
        self.begun += 1
        await self.ready.wait()
        if self.fails:
            return False
        self.taken_over.append(service)
        return True

    def save(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture
async def development(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Development]:
    (tmp_path / "agent" / "call").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(agent.up.dev, "source_root", lambda: tmp_path)

    async def plan(settings: Settings, _: object) -> list[Service]:
        return [Service("worker", told_by("unix:/none"), settings.agent_name)]

    monkeypatch.setattr(agent.up.dev, "plan", plan)
    running = Development(tmp_path)
    untouched = dict(os.environ)
    task = asyncio.create_task(running.watch.run())
    try:
        # The watch takes a moment to begin, and says nothing of it.
        async with asyncio.timeout(10):
            while not running.taken_over:
                running.save("agent/first.py", "")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1):
                        await running.until(lambda: bool(running.taken_over))
        running.taken_over.clear()
        running.begun = 0
        running.zygote.renewed = 0
        yield running
    finally:
        task.cancel()
        await asyncio.wait({task})
        os.environ.clear()
        os.environ.update(untouched)


def begun(development: Development, workers: int) -> bool:
    return development.begun >= workers


def serves(development: Development, agent_name: str) -> bool:
    return bool(development.taken_over) and development.taken_over[-1].remedy == agent_name


async def test_quick_saves_bring_one_new_worker(development: Development) -> None:
    development.ready.clear()
    for number in range(5):
        development.save("agent/call/assistant.py", f"x = {number}\n")
        await development.until(partial(begun, development, number + 1))
    development.ready.set()
    await development.until(lambda: bool(development.taken_over))
    assert development.begun == 5
    assert len(development.taken_over) == 1


async def test_a_worker_is_a_copy_of_a_zygote_that_is_never_renewed_under_one_that_serves(
    development: Development,
) -> None:
    development.fails = True
    development.save("agent/call/assistant.py", "x = 1\n")
    await development.until(lambda: development.begun == 1)
    development.fails = False
    development.save("agent/call/assistant.py", "x = 2\n")
    await development.until(lambda: development.zygote.renewed > 0)
    assert development.zygote.renewed == len(development.taken_over) == 1
    assert development.taken_over[0].child == development.zygote.worker


async def test_a_broken_file_holds_back_the_others_until_it_is_mended(
    development: Development,
) -> None:
    development.save("agent/call/assistant.py", "def greet(:\n")
    await development.until(lambda: len(development.complaints) == 1)
    assert "assistant.py, line 1" in development.complaints[0]
    development.save("agent/call/session.py", "x = 1\n")
    await development.until(lambda: len(development.complaints) == 2)
    assert development.begun == 0
    development.save("agent/call/assistant.py", "def greet(): ...\n")
    await development.until(lambda: bool(development.taken_over))


async def test_what_env_says_reaches_the_next_worker(development: Development) -> None:
    for name in ("ada", "bob"):
        development.save(".env", f"AGENT_NAME={name}\n")
        await development.until(partial(serves, development, name))
    development.save(".env", "")
    await development.until(partial(serves, development, "eloquence"))


@pytest.mark.parametrize("line", ["LLM_PORT=many", "AGENT_NAM=ada"])
async def test_nonsense_in_env_is_named_and_changes_nothing(
    development: Development, line: str
) -> None:
    development.save(".env", f"{line}\n")
    await development.until(lambda: bool(development.complaints))
    assert line.partition("=")[0] in development.complaints[0]
    assert "goes on" in development.complaints[0]
    assert development.begun == 0
