"""Noticing that the source or ``.env`` was saved, and whether what was saved is Python."""

from collections.abc import AsyncGenerator, Iterable, Iterator
from pathlib import Path

from watchfiles import Change, awatch

import agent

# An editor writes a file in several steps, and a person several files in a row.
_STEP_MS = 100
_DEBOUNCE_MS = 1000
_LEFT_OUT = frozenset({"node_modules", "tests", "__pycache__"})


def source_root() -> Path:
    """Return the directory that holds ``agent/`` and ``plugins/``."""
    return Path(agent.__file__).resolve().parents[1]


async def saves(root: Path, env_file: Path) -> AsyncGenerator[set[Path], None]:
    """Yield the files that were saved, created or removed, as soon as a moment's quiet follows.

    Args:
        root: Holds ``agent/`` and ``plugins/``; their Python files count.
        env_file: Counts too, whether it exists already or not.
    """

    def counts(_: Change, name: str) -> bool:
        path = Path(name)
        return path == env_file or (path.suffix == ".py" and path.parent != root)

    # One by one: a recursive watch would descend into the thousands of folders of node_modules.
    folders = {env_file.parent, *_package_folders(root / "agent")}
    folders.update(_package_folders(root / "plugins"))
    async for batch in awatch(
        *folders, watch_filter=counts, step=_STEP_MS, debounce=_DEBOUNCE_MS, recursive=False
    ):
        yield {Path(name) for _, name in batch}


def syntax_error(paths: Iterable[Path]) -> str | None:
    """Return one sentence about the first file that is not Python, naming file and line."""
    for path in sorted(paths):
        try:
            compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except FileNotFoundError:
            continue
        except SyntaxError as error:
            return f"{path}, line {error.lineno}: {error.msg}."
        except ValueError as error:  # a null byte
            return f"{path}: {error}."
    return None


def _package_folders(folder: Path) -> Iterator[Path]:
    if not folder.is_dir() or folder.name in _LEFT_OUT or folder.name.startswith("."):
        return
    yield folder
    for child in folder.iterdir():
        yield from _package_folders(child)
