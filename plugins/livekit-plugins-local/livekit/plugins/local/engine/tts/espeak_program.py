"""The program `espeak-ng`: GPL, therefore always a process of its own."""

import shutil

from livekit.plugins.local.packages import espeak


def espeak_path(what: str) -> str:
    """Return the path of `espeak-ng`.

    Args:
        what: What needs it: the subject of the sentence when it is missing.

    Raises:
        EngineError: It is not installed.
    """
    path = shutil.which("espeak-ng")
    if path is None:
        raise espeak(what).error()
    return path
