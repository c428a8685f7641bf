"""The web process: serves the page, `/token` and its own health."""

import asyncio
import errno
import logging
import signal
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from agent.errors import UserError
from agent.settings import Settings
from agent.web.access import LiveKitAccess
from agent.web.endpoint import MAX_BODY, TokenEndpoint
from agent.web.health import WebHealth
from agent.web.security import header_signal

logger = logging.getLogger(__name__)

STATIC_DIR: Final = Path(__file__).parent / "static"
_SHUTDOWN_SECONDS: Final = 3.0
_NOT_BUILT: Final = (
    "The page is not built yet: run `make` in the project's folder, then start again."
)
_PROBES: Final = ("/healthz", "/readyz")


class AccessLogger(AbstractAccessLogger):
    """Logs method, path, status and time of a request: no query, no address, no header."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write one line; probes come every second and matter only when debugging."""
        level = logging.DEBUG if request.path in _PROBES else logging.INFO
        # The raw path is still percent-encoded, so it cannot break the line.
        path = request.rel_url.raw_path
        self.logger.log(
            level, "%s %s %d in %.0f ms", request.method, path, response.status, time * 1000
        )


def create_app(settings: Settings, static_dir: Path = STATIC_DIR) -> web.Application:
    """Build the application.

    Args:
        settings: Must name a LiveKit server and its keys.
        static_dir: The built page.

    Raises:
        UserError: LIVEKIT_URL or its keys are missing or bad.
    """
    livekit = LiveKitAccess.from_settings(settings)
    index = static_dir / "index.html"
    app = web.Application(client_max_size=MAX_BODY)
    app.on_response_prepare.append(header_signal(livekit))

    TokenEndpoint(livekit, settings.agent_name).add_routes(app)
    health = WebHealth(livekit, settings.worker_port, index)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)

    async def page(request: web.Request) -> web.StreamResponse:
        if index.is_file():
            return web.FileResponse(index)
        return web.Response(status=503, text=_NOT_BUILT)

    app.router.add_get("/", page)
    if static_dir.is_dir():
        app.router.add_static("/", static_dir)
    return app


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        UserError: LiveKit is not configured, or the address is taken or not ours.
    """
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    runner = web.AppRunner(
        create_app(settings),
        access_log_class=AccessLogger,
        access_log=logger,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        await _bind(runner, settings)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _bind(runner: web.AppRunner, settings: Settings) -> None:
    host, port = settings.web_host, settings.web_port
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"Port {port} on {host} is taken by another program; "
                "stop that program or set WEB_PORT to a free port."
            ) from None
        raise UserError(
            f"The page cannot be served on {host}, port {port} ({error.strerror or error}); "
            "set WEB_HOST and WEB_PORT."
        ) from None
    logger.info("serving the page on http://%s:%d", host, port)
