"""From the first check to the last process gone."""

import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from livekit.plugins.local.packages import missing_for_voices

from agent.cli.models import needed_models
from agent.errors import UserError
from agent.lan.door import Door, find_door
from agent.lan.notice import notice, qr_code
from agent.lan.services import open_ports, open_services
from agent.model_store import model_store
from agent.paths import forget_conversations
from agent.ports import check_ports
from agent.readiness import UNIX_SCHEME, fetch_readiness
from agent.settings import Settings
from agent.up.arrival import missing_for_ever
from agent.up.board import Board, make_board
from agent.up.dev import WORKER, Watch
from agent.up.plan import plan, ports, web_url
from agent.up.supervisor import Supervisor
from agent.up.warm import Zygote

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(
    settings: Settings,
    *,
    browser: bool,
    lan: bool = False,
    reload: Callable[[], Settings] | None = None,
) -> None:
    """Run everything until Ctrl-C, SIGTERM or the end of the terminal.

    Args:
        settings: The settings.
        browser: Whether to open the page when a call can be placed.
        lan: Whether to let the local network in.
        reload: Reads the settings anew. If given, the source is watched, and each save brings a
            new worker.

    Raises:
        UserError: A port is taken, or a server, key or certificate is not to be had.
        ModelError: The disk has no room for the models that are missing.
    """
    listed, door = ports(settings), None
    if lan:
        door = find_door(settings)
        listed = open_ports(listed, door)
    check_ports(listed)
    require_room(settings)
    # Calls end with us, and so does what is kept of them. A run that was killed left that to us.
    forget_conversations(settings.cache_dir)
    try:
        asyncio.run(_up(settings, door, reload, browser=browser))
    finally:
        forget_conversations(settings.cache_dir)


async def _up(
    settings: Settings,
    door: Door | None,
    reload: Callable[[], Settings] | None,
    *,
    browser: bool,
) -> None:
    board = make_board(settings)
    url = web_url(settings)
    background: list[asyncio.Task[Any]] = []
    watch: Watch | None = None

    def on_ready() -> None:
        board.announce(f"Eloquence is ready: {url}")
        if door is not None:
            _show(door, settings, board)
        if watch is not None:  # not before: it would have slowed down all the others
            background.append(asyncio.create_task(watch.warm_up()))
        if browser and has_display():
            # In a thread: some browsers keep their caller waiting.
            background.append(asyncio.create_task(asyncio.to_thread(webbrowser.open, url)))

    supervisor = Supervisor(board, on_ready)
    if reload:
        zygote = Zygote(lambda line: board.line(WORKER, line))
        watch = Watch(board, supervisor.replace, reload, zygote)
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
        for lacking in missing_for_voices(settings.voices.values()):  # others stand in
            board.complain(lacking.message)
        work = asyncio.create_task(_work(settings, door, supervisor, board, watch))
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, interrupt)
        await asyncio.wait({work})
    if not work.cancelled():
        work.result()


def _show(door: Door, settings: Settings, board: Board) -> None:
    board.say("\n".join(notice(settings, door)))
    if sys.stdout.isatty() and settings.log_format != "json":
        board.say("\n".join(qr_code(door)))


async def _work(
    settings: Settings,
    door: Door | None,
    supervisor: Supervisor,
    board: Board,
    watch: Watch | None,
) -> None:
    for sentence in await missing_for_ever(settings):
        board.complain(sentence)
    services = await plan(settings, board.say)
    if door is not None:
        services = open_services(services, settings, door)
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run(services))
            if watch:
                watching = group.create_task(watch.run())
                running.add_done_callback(lambda _: watching.cancel())
        raise UserError("Nothing is left running; the lines above say why.")
    finally:
        await supervisor.stop()
        if watch:  # last, for a worker would not outlive its zygote
            await watch.aclose()
        await remove_socket(settings.engine_address)


async def remove_socket(address: str) -> None:
    """Remove the socket file of an engine that had no time to do so itself."""
    if not address.startswith(UNIX_SCHEME):
        return
    if await fetch_readiness(address) is None:  # nobody else's engine lives there
        path = Path(address.removeprefix(UNIX_SCHEME))
        await asyncio.to_thread(path.unlink, missing_ok=True)


def require_room(settings: Settings) -> None:
    """Check, before a byte is fetched, that all models that are missing fit on the disk.

    Raises:
        UserError: A setting names a model that does not exist.
        ModelError: They do not fit; the sentence says how much they need and how much is free.
    """
    store = model_store(settings)
    store.require_space([name for name in needed_models(settings) if store.locate(name) is None])


def has_display() -> bool:
    """Return whether a browser can show itself."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
