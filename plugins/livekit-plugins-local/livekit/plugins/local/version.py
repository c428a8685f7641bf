"""Version of livekit-plugins-local."""

__version__ = "0.1.0"
