"""Every setting of Eloquence: one typed object, read from the environment and ``.env``.

There is a module for each group of settings, with what is checked of it and follows from it.
"""

from .engine import PROFILES
from .hearing import Ear
from .loading import ENV_FILE_READ, FOREIGN_VARIABLES, load
from .whole import GROUPS, Settings, env_name

__all__ = [
    "ENV_FILE_READ",
    "FOREIGN_VARIABLES",
    "GROUPS",
    "PROFILES",
    "Ear",
    "Settings",
    "env_name",
    "load",
]
