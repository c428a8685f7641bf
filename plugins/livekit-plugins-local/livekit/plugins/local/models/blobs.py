"""Files under the name of their content: nothing is in here that was not verified."""

import contextlib
import errno
import hashlib
import os
import shutil
from pathlib import Path

from .concurrency import in_thread
from .errors import Refused
from .manifest import ModelFile

# 1980, the first year that every file system and archive format can store.
_EPOCH_SECONDS = 315_532_800


class Blobs:
    """The directory ``ROOT/sha256``: each file is named after its SHA-256.

    A file that was verified carries a modification time made from its hash. Whatever writes to it
    changes that, so that an untouched file is told from a damaged one without reading it.

    Args:
        root: Root of the store.
    """

    def __init__(self, root: Path) -> None:
        self.directory = root / "sha256"
        self._damaged = root / "damaged"
        # Where the mark cannot be set: another user's store, or one on a read-only disk.
        self._seen: dict[Path, int] = {}

    def path(self, file: ModelFile) -> Path:
        """Return where ``file`` lies, or would."""
        return self.directory / file.sha256

    def has(self, file: ModelFile) -> bool:
        """Whether ``file`` is there in its full length; its bytes are not read."""
        return length(self.path(file)) == file.size

    def untouched(self, file: ModelFile) -> bool:
        """Whether ``file`` is there as it was when it was verified; its bytes are not read."""
        path = self.path(file)
        if not self.has(file):
            return False
        time = path.stat().st_mtime_ns
        return time == _mark(file) or time == self._seen.get(path)

    async def accept(self, file: ModelFile, candidate: Path) -> None:
        """Verify ``candidate`` and move it into place as ``file``.

        Args:
            file: What it should be.
            candidate: A file, best on the same file system; gone afterwards in any case.

        Raises:
            Refused: It has other bytes.
        """
        if await in_thread(digest, candidate, "sha256") != file.sha256:
            await in_thread(candidate.unlink)
            raise Refused("hash_mismatch", f"{file.name} has other bytes than expected")
        await in_thread(self.take, file, candidate)

    def take(self, file: ModelFile, candidate: Path) -> None:
        """Move a verified ``candidate`` into place as ``file``."""
        target = self.path(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        # On the disk before it has its name: a power cut must not leave a half-written blob behind.
        _flush(candidate)
        os.utime(candidate, ns=(_mark(file), _mark(file)))
        try:
            candidate.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # Part of the store lies on another disk. The name is that of the model, which one
            # process at a time fetches: an attempt that was killed is written over.
            copy = target.with_name(f".{target.name}.{candidate.parent.name}")
            shutil.copy2(candidate, copy)
            _flush(copy)
            copy.replace(target)
            candidate.unlink()
        with contextlib.suppress(OSError):
            (self._damaged / file.sha256).unlink()

    async def intact(self, file: ModelFile) -> bool:
        """Read ``file`` whole, and remember it if all is well."""
        path = self.path(file)
        if not self.has(file):
            return False
        time = path.stat().st_mtime_ns
        if await in_thread(digest, path, "sha256") != file.sha256:
            return False
        try:
            await in_thread(os.utime, path, ns=(_mark(file), _mark(file)))
        except OSError:
            self._seen[path] = time
        return True

    def set_aside(self, file: ModelFile) -> None:
        """Take a damaged file away; it is kept until a good one has arrived."""
        self._damaged.mkdir(parents=True, exist_ok=True)
        self.path(file).replace(self._damaged / file.sha256)

    def remove(self, file: ModelFile) -> None:
        """Delete ``file``, if it is there."""
        for folder in (self.directory, self._damaged):
            (folder / file.sha256).unlink(missing_ok=True)


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


def _mark(file: ModelFile) -> int:
    """Return the modification time of ``file`` once verified: an even second of 1980 to 1988."""
    return (_EPOCH_SECONDS + 2 * (int(file.sha256[:7], 16) >> 1)) * 1_000_000_000


def _flush(path: Path) -> None:
    with path.open("rb") as content:
        os.fsync(content.fileno())
