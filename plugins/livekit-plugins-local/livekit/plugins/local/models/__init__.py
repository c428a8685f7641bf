"""Models on this machine: which there are, where they come from, and whether they are intact."""

from .carrying import export_models, import_models
from .errors import ModelError
from .manifest import Manifest, Model, ModelFile, default_manifest
from .own import check_gguf, directory_of, repository_of
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
    "check_gguf",
    "default_manifest",
    "directory_of",
    "export_models",
    "import_models",
    "repository_of",
]
