"""From the first check to the last process gone."""

import asyncio
import os
import signal
import sys
import webbrowser
from pathlib import Path

from agent.errors import UserError
from agent.ports import check_ports
from agent.readiness import UNIX_SCHEME, fetch_readiness
from agent.settings import Settings
from agent.up.board import Board, make_board
from agent.up.plan import plan, ports, web_url
from agent.up.supervisor import Supervisor

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(settings: Settings, *, browser: bool) -> None:
    """Run everything until Ctrl-C, SIGTERM or the end of the terminal.

    Args:
        settings: The settings.
        browser: Whether to open the page when a call can be placed.

    Raises:
        UserError: A port is taken, or a server or key is not to be had.
    """
    check_ports(ports(settings))
    asyncio.run(_up(settings, browser=browser))


async def _up(settings: Settings, *, browser: bool) -> None:
    board = make_board()
    url = web_url(settings)
    background: list[asyncio.Task[bool]] = []

    def on_ready() -> None:
        board.announce(f"Eloquence is ready: {url}")
        if browser and has_display():
            # In a thread: some browsers keep their caller waiting.
            background.append(asyncio.create_task(asyncio.to_thread(webbrowser.open, url)))

    supervisor = Supervisor(board, on_ready)
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        if interrupted:  # once more means: do not wait for anyone
            supervisor.kill()
        else:
            interrupted = True
            board.say("Stopping.")
            work.cancel()

    with board:
        work = asyncio.create_task(_work(settings, supervisor, board))
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, interrupt)
        await asyncio.wait({work})
    if not work.cancelled():
        work.result()


async def _work(settings: Settings, supervisor: Supervisor, board: Board) -> None:
    services = await plan(settings, board.say)
    try:
        await supervisor.run(services)
        raise UserError("Nothing is left running; the lines above say why.")
    finally:
        await supervisor.stop()
        await remove_socket(settings.engine_address)


async def remove_socket(address: str) -> None:
    """Remove the socket file of an engine that had no time to do so itself."""
    if not address.startswith(UNIX_SCHEME):
        return
    if await fetch_readiness(address) is None:  # nobody else's engine lives there
        path = Path(address.removeprefix(UNIX_SCHEME))
        await asyncio.to_thread(path.unlink, missing_ok=True)


def has_display() -> bool:
    """Return whether a browser can show itself."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
