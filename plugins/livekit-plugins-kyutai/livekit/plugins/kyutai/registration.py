"""Makes the package known to the framework, which then preloads it for job processes."""

import threading

from livekit.agents import Plugin
from livekit.plugins.kyutai.log import logger
from livekit.plugins.kyutai.version import __version__

PACKAGE = "livekit.plugins.kyutai"


class KyutaiPlugin(Plugin):
    """This package, to the framework."""

    def __init__(self) -> None:
        super().__init__(PACKAGE, __version__, PACKAGE, logger)


def register() -> None:
    """Register the package; the framework allows that on the main thread alone."""
    known = any(plugin.package == PACKAGE for plugin in Plugin.registered_plugins)
    if not known and threading.current_thread() is threading.main_thread():
        Plugin.register_plugin(KyutaiPlugin())
