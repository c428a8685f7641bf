"""Where Eloquence keeps what it downloads, generates and listens on."""

import os
import shutil
import tempfile
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

# A Unix socket path must fit in `sockaddr_un.sun_path`: 108 bytes on Linux, 104 on macOS.
MAX_SOCKET_PATH = 100
# Environment variable: with it at 1 a worker keeps conversations for the one that follows it.
KEEP_CONVERSATIONS = "ELOQUENCE_KEEP_CONVERSATIONS"


def default_cache_dir() -> Path:
    """Return the per-user cache directory (``~/.cache/eloquence`` on Linux)."""
    return user_cache_path("eloquence")


def default_data_dir() -> Path:
    """Return the per-user data directory (``~/.local/share/eloquence`` on Linux)."""
    return user_data_path("eloquence")


def default_engine_url(cache_dir: Path) -> str:
    """Return the address on which the engine listens when none is configured.

    Args:
        cache_dir: The cache directory; the socket lives in its ``run`` folder, which only the
            owner may enter, unless that path is too long for a socket.

    Returns:
        A ``unix:`` URL.
    """
    path = cache_dir / "run" / "engine.sock"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        digest = f"{hash_text(str(cache_dir))}-{os.getuid()}"
        path = Path(tempfile.gettempdir()) / f"eloquence-{digest}" / "engine.sock"
    return f"unix:{path}"


def hash_text(text: str) -> str:
    """Return a short, stable, file-name-safe digest of ``text``."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:12]


def private_dir(path: Path) -> Path:
    """Create ``path`` (and its parents) readable by the owner alone, and return it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def conversations_dir(cache_dir: Path) -> Path:
    """Return where the conversations of running calls are kept for a worker that takes over."""
    return cache_dir / "run" / "conversations"


def forget_conversations(cache_dir: Path) -> None:
    """Delete what is kept of calls; those that are still going on cannot be resumed."""
    shutil.rmtree(conversations_dir(cache_dir), ignore_errors=True)
