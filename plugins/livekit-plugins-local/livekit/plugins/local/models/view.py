"""A model as a directory of plainly named files, which is what the libraries want."""

import os
import shutil
from pathlib import Path

from .blobs import Blobs
from .manifest import Model, ModelFile


class View:
    """The directory ``ROOT/models/<id>`` of one model.

    Args:
        root: Root of the store.
        model: The model.
    """

    def __init__(self, root: Path, model: Model) -> None:
        self.path = root / "models" / model.id
        self._model = model
        self._blobs = Blobs(root)

    @property
    def complete(self) -> bool:
        """Whether every file of the model is there in its full length; no bytes are read."""
        return all(self._current(file) for file in self._model.files)

    def make(self) -> None:
        """Create or repair the directory of a model whose blobs are all there.

        The links are relative, so that the store may be moved; where the file system has no links,
        the directory holds copies.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        # The directory may itself be reached by a link, to another disk: what counts for a relative
        # link is where it really is.
        here = self.path.resolve()
        for file in self._model.files:
            if self._current(file):
                continue
            blob = self._blobs.path(file)
            fresh = here / f".{file.name}.new"
            fresh.unlink(missing_ok=True)
            try:
                fresh.symlink_to(os.path.relpath(blob.parent.resolve() / blob.name, here))
            except OSError:
                shutil.copy2(blob, fresh)
            fresh.replace(here / file.name)

    def remove(self) -> None:
        """Delete the directory, if it is there; the blobs stay."""
        if self.path.is_dir():
            shutil.rmtree(self.path)

    def _current(self, file: ModelFile) -> bool:
        # A link has the times of its blob, and so has a copy; a link or copy of an older version of
        # the file has others.
        try:
            here, blob = (self.path / file.name).stat(), self._blobs.path(file).stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return here.st_size == file.size and here.st_mtime_ns == blob.st_mtime_ns
