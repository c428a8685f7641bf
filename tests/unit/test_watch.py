"""What counts as a save, and what is said of a file that is not Python."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from agent.up.watch import saves, source_root, syntax_error

pytestmark = pytest.mark.unit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("agent/web/page/node_modules/x", "plugins/p/livekit/plugins/local", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


class Seen:
    """What was reported so far."""

    def __init__(self) -> None:
        self.batches: list[set[Path]] = []
        self.names: set[str] = set()

    async def until(self, name: str) -> None:
        async with asyncio.timeout(10):
            while name not in self.names:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(root: Path) -> AsyncIterator[Seen]:
    seen = Seen()

    async def follow() -> None:
        async with aclosing(saves(root, root / ".env")) as batches:
            async for batch in batches:
                seen.batches.append(batch)
                seen.names |= {path.name for path in batch}

    task = asyncio.create_task(follow())
    try:
        async with asyncio.timeout(10):
            while "first.py" not in seen.names:  # until the watch is on
                (root / "agent" / "first.py").write_text("")
                await asyncio.sleep(0.05)
        yield seen
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_python_files_and_the_env_file_count_and_nothing_else(root: Path) -> None:
    async with watching(root) as seen:
        for name in ("agent/page.html", "agent/web/page/node_modules/x/a.py", "setup.py"):
            (root / name).write_text("")
        (root / "tests" / "test_x.py").write_text("")
        (root / "plugins/p/livekit/plugins/local/stt.py").write_text("")
        await seen.until("stt.py")
        (root / ".env").write_text("GREETING=Hello\n")
        await seen.until(".env")
        assert seen.names == {"first.py", "stt.py", ".env"}


async def test_an_editor_that_replaces_the_file_is_noticed(root: Path) -> None:
    async with watching(root) as seen:
        fresh = root / "agent" / "session.py.tmp"
        fresh.write_text("")
        fresh.replace(root / "agent" / "session.py")
        await seen.until("session.py")


def test_the_source_root_holds_this_package() -> None:
    assert (source_root() / "agent" / "up" / "watch.py").is_file()


def test_a_syntax_error_is_one_sentence_with_file_and_line(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.py", tmp_path / "b.py"
    good.write_text("x = 1\n")
    bad.write_text("x = 1\ndef greet(:\n")
    sentence = syntax_error({good, bad})
    assert sentence == f"{bad}, line 2: invalid syntax."
    assert syntax_error({good, tmp_path / "removed.py"}) is None


@pytest.mark.parametrize("content", [b"x = '\xff'\n", b"x = 1\x00\n"])
def test_what_is_no_text_is_named_too(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(content)
    assert str(path) in (syntax_error({path}) or "")
