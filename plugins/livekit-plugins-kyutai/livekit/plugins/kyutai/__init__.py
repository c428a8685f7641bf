"""Kyutai's streaming speech for LiveKit Agents, by a moshi-server."""

from livekit.plugins.kyutai.version import __version__

__all__ = ["__version__"]
