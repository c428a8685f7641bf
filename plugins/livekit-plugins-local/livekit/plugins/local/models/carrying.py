"""Taking models out of a store as a bundle, and taking them over from one."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from .blobs import digest
from .bundles import Bundle, damaged, files_of, foreign, open_bundle, write_bundle
from .concurrency import in_thread
from .errors import ModelError, Refused, model_error
from .manifest import Model
from .own import is_description
from .progress import OnProgress, Tally
from .space import disk_errors, existing, free_bytes, shortage
from .store import ModelStore
from .view import View

_IMPORT = "import"


async def export_models(
    store: ModelStore, path: Path, names: Sequence[str], on_progress: OnProgress | None = None
) -> None:
    """Write models that are here into a bundle.

    Args:
        store: The store.
        path: The bundle's file; one that is there is replaced.
        names: The models.
        on_progress: Called on the event loop at the beginning and the end.

    Raises:
        ModelError: One of them is not here or damaged, or there is no room or no right to write.
    """
    models = [_here(store, name) for name in names]
    tally, files = Tally(path.name, on_progress), files_of(models)
    tally.begin(sum(file.size for file in files.values()))
    for model in models:
        for file in model.files:
            if not store.blobs.untouched(file) and not await store.blobs.intact(file):
                raise model_error("corrupt", model=model.id, reason=f"{file.name} is not intact")
    needed = sum(file.size for file in files.values())
    if short := shortage(needed, free_bytes(existing(path.parent)), path.parent):
        raise model_error("disk_too_small", what=path.name, **short)
    with disk_errors(path):
        await in_thread(write_bundle, path, models, store.blobs.path)
    tally.ready()


async def import_models(
    store: ModelStore, path: Path, on_progress: OnProgress | None = None
) -> list[str]:
    """Take over all models of a bundle, or, if anything about it is wrong, nothing.

    Args:
        store: The store.
        path: The bundle.
        on_progress: Called on the event loop as files are copied.

    Returns:
        The ids of the models.

    Raises:
        ModelError: The bundle is missing, damaged, or of another version; or the disk does not take
            it.
    """
    try:
        with disk_errors(store.root):
            return await _import(store, path, Tally(path.name, on_progress))
    except Refused as refusal:
        raise model_error(refusal.code, **refusal.names) from None


async def _import(store: ModelStore, path: Path, tally: Tally) -> list[str]:
    try:
        bundle = await in_thread(open_bundle, path)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise damaged(path, f"it cannot be read ({error.strerror})") from None
    for model in bundle.models:
        _check_known(store, bundle, model)
    wanted = [file for file in bundle.files.values() if not store.blobs.has(file)]
    total = sum(file.size for file in wanted)
    store.require_bytes(total, path.name)
    tally.begin(total)
    async with store.lock(_IMPORT, tally):
        folder = store.root / "partial" / _IMPORT
        await in_thread(folder.mkdir, parents=True, exist_ok=True)
        try:
            for file in wanted:
                copy = folder / file.sha256
                await in_thread(bundle.copy, file, copy)
                tally.arrived(file.name, file.size)
                tally.verifying(file.name)
                if await in_thread(digest, copy, "sha256") != file.sha256:
                    raise damaged(path, f"its {file.name} has other bytes than it says")
            for file in wanted:
                await in_thread(store.blobs.take, file, folder / file.sha256)
        finally:
            await in_thread(shutil.rmtree, folder)
    for model in bundle.models:
        async with store.lock(model.id):
            if model not in store.manifest.models:
                await in_thread(store.own.keep, model)
            await in_thread(View(store.root, model).make)
    tally.ready()
    return [model.id for model in bundle.models]


def _check_known(store: ModelStore, bundle: Bundle, model: Model) -> None:
    """Refuse what would replace a model by another of the same name, or that nothing could name."""
    known = next((each for each in store if each.id == model.id), None)
    if known is None and is_description(model):
        return
    if known is None:
        raise foreign(bundle.path, f"this version knows no model {model.id}")
    if set(known.files) != set(model.files):
        raise foreign(
            bundle.path, f"its {model.id} consists of other files than the one known here"
        )


def _here(store: ModelStore, name: str) -> Model:
    model = store.find(name)
    if model is None or store.locate(name) is None:
        raise _absent(name)
    return model


def _absent(name: str) -> ModelError:
    return model_error("absent", model=name)
