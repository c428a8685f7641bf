"""Getting a LiveKit server where none is installed: Go, else Docker."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from agent.livekit import VERSION
from agent.livekit.process import run_tool

GO_PACKAGE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
DOCKER_IMAGE = f"livekit/livekit-server:v{VERSION}"


class InstallError(Exception):
    """The server could not be built; the text says why in a few words."""


def cached_path(cache_dir: Path) -> Path:
    """Return where the server that we installed is kept."""
    return cache_dir / "bin" / f"livekit-server-v{VERSION}"


async def go_install(cache_dir: Path, say: Callable[[str], None]) -> Path:
    """Build the pinned version with Go into the cache.

    Args:
        cache_dir: The cache directory.
        say: Told in one line that this takes a while.

    Returns:
        The binary, which appears there only when it is complete.

    Raises:
        InstallError: There is no Go, or it failed.
    """
    go = shutil.which("go")
    if go is None:
        raise InstallError("Go is not installed")
    target = cached_path(cache_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    say(f"Building livekit-server {VERSION} with Go; this happens once and takes a few minutes.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".go-") as folder:
        # Pure Go: without cgo no C compiler is needed and the binary is static.
        env = {"GOBIN": folder, "CGO_ENABLED": "0"}
        status, output = await run_tool([go, "install", GO_PACKAGE], env)
        if status:
            last = output.splitlines()[-1] if output else f"exit status {status}"
            raise InstallError(f"`go install` failed ({last})")
        await asyncio.to_thread(Path(folder, "server").replace, target)
    return target


async def docker_command() -> tuple[str, ...] | None:
    """Return the command that runs the pinned image, or None when no Docker engine answers.

    The server must share this machine's loopback, which host networking does on Linux alone.
    """
    docker = shutil.which("docker")
    if docker is None or not sys.platform.startswith("linux"):
        return None
    try:
        status, _ = await run_tool([docker, "info", "--format", "{{.ID}}"], timeout=10)
    except TimeoutError:
        return None
    if status:
        return None
    options = ("--rm", "--network", "host", "--env", "LIVEKIT_CONFIG")
    return (docker, "run", *options, DOCKER_IMAGE)
