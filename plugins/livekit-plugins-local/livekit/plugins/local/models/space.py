"""Room on the disk, and what is said when there is none or nothing may be written."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ModelError, model_error

_FORBIDDEN = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    # A file where a directory should be, and the other way round.
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR),
}


def free_bytes(path: Path) -> int:
    """Return how many bytes can be written to the file system of ``path``."""
    return shutil.disk_usage(path).free


def existing(path: Path) -> Path:
    """Return ``path``, or the nearest directory above it that exists."""
    return next(each for each in (path, *path.absolute().parents) if each.exists())


def shortage(needed: int, free: int, place: Path) -> dict[str, object]:
    """Return what ``disk_too_small`` is worded with; nothing if there is room.

    Args:
        needed: Bytes to write.
        free: Bytes that there are.
        place: Where.
    """
    if needed <= free:
        return {}
    return {
        "needed": readable(needed),
        "free": readable(free),
        "short": readable(needed - free),
        "place": place,
    }


def readable(count: int) -> str:
    """Return a number of bytes as people write it."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.{1 if unit == 'GB' else 0}f} {unit}"
    return f"{count} bytes"


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Turn failed system calls that people can do something about into `ModelError`.

    Args:
        root: What is named if the call does not tell.
    """
    try:
        yield
    except OSError as error:
        if failure := _explained(error, root):
            raise failure from error
        raise


def _explained(error: OSError, root: Path) -> ModelError | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return model_error("disk_full", place=root)
    if error.errno in _FORBIDDEN:
        place = error.filename or root
        return model_error("permission_denied", place=place, reason=error.strerror)
    return None
