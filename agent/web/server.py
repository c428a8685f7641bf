"""The web process: listens, and stops when it is told to."""

import asyncio
import errno
import logging
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from agent.errors import UserError
from agent.lan.door import Door, find_door
from agent.settings import Settings
from agent.web.app import create_app, create_lan_app

logger = logging.getLogger(__name__)

_SHUTDOWN_SECONDS: Final = 3.0
_PROBES: Final = ("/healthz", "/readyz")


class AccessLogger(AbstractAccessLogger):
    """Logs method, path, status and time of a request: no query, no address, no header."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write one line; what may come without end matters only when debugging."""
        routine = request.path in _PROBES or response.status == HTTPStatus.TOO_MANY_REQUESTS
        level = logging.DEBUG if routine else logging.INFO
        # The raw path is still percent-encoded, so it cannot break the line.
        path = request.rel_url.raw_path
        self.logger.log(
            level, "%s %s %d in %.0f ms", request.method, path, response.status, time * 1000
        )


def run(settings: Settings, *, lan: bool = False) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: The settings.
        lan: Whether to serve the local network as well.

    Raises:
        UserError: LiveKit is not configured, or an address is taken or not ours, or what the
            local network needs is missing.
    """
    asyncio.run(_serve(settings, lan=lan))


async def _serve(settings: Settings, *, lan: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    async with AsyncExitStack() as sites:
        local = await sites.enter_async_context(_running(create_app(settings)))
        await _bind(local, "WEB", settings.web_host, settings.web_port)
        if lan:
            door = await asyncio.to_thread(_door, settings)
            public = await sites.enter_async_context(_running(create_lan_app(settings, door)))
            await _bind(public, "LAN", door.address, door.port, door.certificate.context())
        await stop.wait()


@asynccontextmanager
async def _running(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(
        app,
        access_log_class=AccessLogger,
        access_log=logger,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


def _door(settings: Settings) -> Door:
    if settings.lan_access_code is None:
        raise UserError(
            "`eloquence web --lan` needs LAN_ACCESS_CODE; `eloquence up --lan` makes one."
        )
    return find_door(settings)


async def _bind(
    runner: web.AppRunner, prefix: str, host: str, port: int, tls: ssl.SSLContext | None = None
) -> None:
    """Listen; a sentence about what is wrong names the settings ``{prefix}_HOST`` and ``_PORT``."""
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"Port {port} on {host} is taken by another program; "
                f"stop that program or set {prefix}_PORT to a free port."
            ) from None
        raise UserError(
            f"The page cannot be served on {host}, port {port} ({error.strerror or error}); "
            f"set {prefix}_HOST and {prefix}_PORT."
        ) from None
    logger.info("serving the page on %s://%s:%d", "https" if tls else "http", host, port)
