"""Version of livekit-plugins-kyutai."""

__version__ = "0.1.0"
