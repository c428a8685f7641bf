"""Eloquence: a self-hosted, real-time voice agent on LiveKit."""

__version__ = "0.1.0"
