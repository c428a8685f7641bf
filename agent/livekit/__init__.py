"""The LiveKit server: finding or installing it, and how it runs on a developer's machine."""

VERSION = "1.13.5"
"""The version that Eloquence is tested with."""
