"""Declared phrases on disk, so that a new engine has them without speaking.

Only what the agent always says comes here, never the text of a conversation.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

# Its number goes up whenever `Recording` packs in another way: older files are spoken anew.
_MAGIC = b"eloquence-phrase-2\n"
_LIMIT_BYTES = 32 * 1024 * 1024


class PhraseStore:
    """One file per phrase, named by its key, which says nothing about the text.

    Its methods read and write files: not for the event loop.

    Args:
        folder: Where; made when it is first needed, for its owner only.
        limit: Most bytes to keep; the files that were not used for the longest time go first.
    """

    def __init__(self, folder: Path, limit: int = _LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit = limit

    def read(self, key: str) -> bytes | None:
        """Return the audio of a key; None if there is none that is intact."""
        path = self._folder / key
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        head = len(_MAGIC) + hashlib.sha256().digest_size
        audio = content[head:]
        return audio if content[:head] == _head(audio) else None

    def write(self, key: str, audio: bytes) -> None:
        """Keep the audio of a key: all of it or, when the disk fails, nothing."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            number, name = tempfile.mkstemp(dir=self._folder, prefix=".")
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(_head(audio) + audio)
                Path(name).replace(self._folder / key)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def prune(self) -> None:
        """Remove what is too much."""
        with suppress(OSError):
            files = [(path.stat(), path) for path in self._folder.iterdir()]
            size = 0
            for status, path in sorted(files, key=lambda file: -file[0].st_mtime):
                size += status.st_size
                if size > self._limit:
                    path.unlink(missing_ok=True)


def _head(audio: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(audio).digest()
