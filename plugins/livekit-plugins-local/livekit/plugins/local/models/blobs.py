"""Files under the name of their content: nothing is in here that was not verified."""

import hashlib
import os
from pathlib import Path

from .concurrency import in_thread
from .errors import Refused
from .manifest import ModelFile


class Blobs:
    """The directory ``ROOT/sha256``: each file is named after its SHA-256.

    Args:
        root: Root of the store.
    """

    def __init__(self, root: Path) -> None:
        self.directory = root / "sha256"

    def path(self, file: ModelFile) -> Path:
        """Return where ``file`` lies, or would."""
        return self.directory / file.sha256

    def has(self, file: ModelFile) -> bool:
        """Whether ``file`` is there in its full length; its bytes are not read."""
        return length(self.path(file)) == file.size

    async def accept(self, file: ModelFile, candidate: Path) -> None:
        """Verify ``candidate`` and move it into place as ``file``.

        Args:
            file: What it should be.
            candidate: A file on the same file system; gone afterwards in any case.

        Raises:
            Refused: It has other bytes.
        """
        if await in_thread(digest, candidate, "sha256") != file.sha256:
            await in_thread(candidate.unlink)
            raise Refused("hash_mismatch", f"{file.name} has other bytes than expected")
        await in_thread(_move, candidate, self.path(file))

    async def problem(self, file: ModelFile) -> str | None:
        """Read ``file`` whole and say what is wrong with it; a damaged one is removed.

        Returns:
            Half a sentence, or None when all is well.
        """
        path = self.path(file)
        if not path.exists():
            return f"{file.name} is missing"
        if self.has(file) and await in_thread(digest, path, "sha256") == file.sha256:
            return None
        await in_thread(path.unlink)
        return f"{file.name} was damaged and has been removed"


def digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal digest of a file's content."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest()


def length(path: Path) -> int:
    """Return a file's length in bytes, 0 when there is none."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _move(source: Path, target: Path) -> None:
    # On the disk before it has its name: a power cut must not leave a half-written blob behind.
    with source.open("rb") as content:
        os.fsync(content.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
