"""The program `espeak-ng`: GPL, therefore always a process of its own."""

import shutil

from livekit.plugins.local.errors import EngineError


def espeak_path(who: str) -> str:
    """Return the path of `espeak-ng`.

    Args:
        who: What needs it: the subject of the sentence when it is missing.

    Raises:
        EngineError: It is not installed.
    """
    path = shutil.which("espeak-ng")
    if path is None:
        raise EngineError(
            "missing_package",
            f"{who} need the program espeak-ng; install it with `apt-get install espeak-ng` "
            "or `brew install espeak-ng`.",
        )
    return path
