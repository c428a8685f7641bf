"""Where models come from; each kind of source is one module behind `Source`."""

from .base import Order, Source
from .bundled import BundleSource
from .folder import FolderSource, WebSource
from .hub import Hub, HubSource
from .npm import NpmResolver
from .packages import Artifact, PackageSource, Resolver
from .pip import PipResolver

__all__ = [
    "Artifact",
    "BundleSource",
    "FolderSource",
    "Hub",
    "HubSource",
    "NpmResolver",
    "Order",
    "PackageSource",
    "PipResolver",
    "Resolver",
    "Source",
    "WebSource",
]
