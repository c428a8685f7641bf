"""Models on this machine: which there are, where they come from, and whether they are intact."""

from .errors import ModelError
from .manifest import Manifest, Model, ModelFile, default_manifest
from .progress import OnProgress, Progress
from .store import ModelStore

__all__ = [
    "Manifest",
    "Model",
    "ModelError",
    "ModelFile",
    "ModelStore",
    "OnProgress",
    "Progress",
    "default_manifest",
]
