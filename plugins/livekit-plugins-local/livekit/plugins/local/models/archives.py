"""Taking single files out of package archives, which are never installed and never run.

Names in an archive are only compared, never used as paths: what is extracted goes where the caller
says, so that an archive cannot place a file anywhere else.
"""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import Refused
from .manifest import Ecosystem

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Extraction:
    """One file to take out.

    Attributes:
        target: Where to put it; it appears there complete or not at all.
        limit: Length in bytes that it cannot exceed, whatever the archive says.
    """

    target: Path
    limit: int


def extract(ecosystem: Ecosystem, archive: Path, wanted: Mapping[str, Extraction]) -> None:
    """Take regular files out of a package's archive.

    Args:
        ecosystem: ``pypi`` for a wheel (zip), ``npm`` for a gzipped tar.
        archive: The archive.
        wanted: What to take out, by its name in the archive.

    Raises:
        Refused: It is not such an archive, lacks one of the files, or holds one that is too long.
    """
    take = _from_zip if ecosystem == "pypi" else _from_tar
    try:
        found = take(archive, wanted)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError):
        raise Refused("hash_mismatch", "the package is not a readable archive") from None
    if missing := wanted.keys() - found:
        raise Refused("not_found", f"the package does not contain {min(missing)}")


def _from_zip(archive: Path, wanted: Mapping[str, Extraction]) -> set[str]:
    with zipfile.ZipFile(archive) as package:
        found = wanted.keys() & set(package.namelist())
        for name in found:
            with package.open(name) as content:
                _write(content, wanted[name])
    return found


def _from_tar(archive: Path, wanted: Mapping[str, Extraction]) -> set[str]:
    found: set[str] = set()
    with tarfile.open(archive, "r|gz") as package:
        for member in package:
            content = package.extractfile(member) if member.isreg() else None
            if content and member.name in wanted:
                _write(content, wanted[member.name])
                found.add(member.name)
    return found


def _write(content: IO[bytes], extraction: Extraction) -> None:
    partial = extraction.target.with_name(f"{extraction.target.name}.new")
    written = 0
    with partial.open("wb") as file:
        while chunk := content.read(CHUNK):
            written += len(chunk)
            if written > extraction.limit:
                raise Refused("hash_mismatch", "the package contains a file that is too long")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(extraction.target)
