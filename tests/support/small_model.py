"""A small model for tests of the store: its files, where they are published, and a store of it."""

import os
from collections.abc import Mapping
from pathlib import Path

from livekit.plugins.local.models import Model, ModelStore
from livekit.plugins.local.models.manifest import Mirror

from tests.support.models_origin import Origin, carrying, manifest

CONFIG = b'{"a": 1}'
WEIGHTS = os.urandom(100_000)
FILES = {"config.json": CONFIG, "model.bin": WEIGHTS}


def store_of(root: Path, origin: Origin, *models: Model, free: int = 10**9) -> ModelStore:
    """Return a store of these models, on a disk with so many bytes free."""
    return ModelStore(
        root, manifest=manifest(*models), resolvers=origin.resolvers(), free=lambda _: free
    )


def on_hub(origin: Origin, entry: Model, files: Mapping[str, bytes] = FILES) -> dict[str, str]:
    """Put files on the hub, and return their paths."""
    return {
        file.name: origin.add_hub_file(entry, file, files[file.name])
        for file in entry.files
        if file.name in files
    }


def in_parts(origin: Origin, count: int, *, name: str = "part", content: bytes = WEIGHTS) -> Mirror:
    """Publish ``content`` as model.bin, cut into wheels; the first carries config.json too."""
    size = -(-len(content) // count)
    packages = []
    for number in range(count):
        piece = content[number * size : (number + 1) * size]
        members = {"model.bin": f"data/{number}.bin"} | (
            {"config.json": "data/config.json"} if number == 0 else {}
        )
        archive = {f"data/{number}.bin": piece, "data/config.json": CONFIG, "setup.py": b"1/0"}
        packages.append(carrying(origin.add_package("pypi", f"{name}-{number}", archive), members))
    return Mirror("pypi", tuple(packages))


def assert_intact(directory: Path) -> None:
    """Demand that all files are there, and nothing else."""
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == FILES
