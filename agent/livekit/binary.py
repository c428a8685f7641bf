"""Which LiveKit server to start."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from agent.errors import UserError
from agent.livekit import VERSION
from agent.livekit.install import InstallError, cached_path, docker_command, go_install
from agent.livekit.process import run_tool
from agent.settings import Settings

Say = Callable[[str], None]


async def server_command(settings: Settings, say: Say) -> tuple[str, ...]:
    """Return the command that starts a LiveKit server, installing one if need be.

    Looked for in this order: ``LIVEKIT_SERVER_BIN``, ``livekit-server`` on the search path, our
    cache, ``go install`` into our cache, Docker.

    Args:
        settings: The settings; whether ``LIVEKIT_URL`` names an outside server is for the caller
            to ask first.
        say: Told in one line what takes long, and when the server is of another version.

    Raises:
        UserError: ``LIVEKIT_SERVER_BIN`` is no working program, or there is no server to be had.
    """
    if settings.livekit_server_bin is not None:
        configured = _configured(settings.livekit_server_bin)
        if not await _runs(configured, say):
            raise UserError(
                f"LIVEKIT_SERVER_BIN names {configured}, which does not run here; "
                "name a livekit-server for this machine."
            )
        return (str(configured),)
    on_path = shutil.which("livekit-server")
    if on_path and await _runs(Path(on_path), say):
        return (on_path,)
    cached = cached_path(settings.cache_dir)
    if os.access(cached, os.X_OK):
        return (str(cached),)
    try:
        return (str(await go_install(settings.cache_dir, say)),)
    except InstallError as error:
        if command := await docker_command():
            return command
        raise UserError(_ways(str(error))) from None


def _configured(path: Path) -> Path:
    path = path.expanduser().absolute()
    if not path.is_file():
        raise UserError(f"LIVEKIT_SERVER_BIN names {path}, which is no file; correct or empty it.")
    if not os.access(path, os.X_OK):
        raise UserError(
            f"LIVEKIT_SERVER_BIN names {path}, which is not executable; run `chmod +x {path}`."
        )
    return path


async def _runs(path: Path, say: Say) -> bool:
    """Return whether ``path`` can be run, and mention a version other than the tested one."""
    try:
        _, output = await run_tool([str(path), "--version"], timeout=10)
    except (OSError, TimeoutError):
        return False
    found = output.removeprefix("livekit-server version ").partition("\n")[0]
    if found != VERSION:
        say(f"{path} is livekit-server {found or 'of unknown version'}; tested is {VERSION}.")
    return True


def _ways(reason: str) -> str:
    """Say how to get a server on this operating system."""
    ways = [f"install Go 1.26 or later, with which Eloquence builds the server itself ({reason})"]
    if sys.platform == "darwin":
        ways.append("run `brew install livekit`")
    else:
        ways.append(
            f"put the livekit-server {VERSION} of the LiveKit project's releases on PATH "
            "or name it in LIVEKIT_SERVER_BIN"
        )
    if sys.platform.startswith("linux"):
        ways.append("start Docker")
    ways.append("set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET to a server of yours")
    return f"No LiveKit server was found; {'; or '.join(ways)}."
