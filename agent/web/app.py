"""The applications of the web process: the page, `/token` and its own health."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from agent.lan.door import AUTHORITY_PATH, Door
from agent.settings import Settings
from agent.web.access import LiveKitAccess
from agent.web.code_check import code_checking
from agent.web.endpoint import MAX_BODY, TokenEndpoint
from agent.web.health import WebHealth
from agent.web.held_calls import HeldCalls
from agent.web.outside import comes_from_outside
from agent.web.rate_limit import RateLimit, rate_limiting
from agent.web.security import header_signal
from agent.web.signalling import Signalling

STATIC_DIR: Final = Path(__file__).parent / "static"
_NOT_BUILT: Final = (
    "The page is not built yet: run `make` in the project's folder, then start again."
)
# Requests a minute and at once. Behind a proxy, all callers have one address.
_LOCAL_LIMIT: Final = (600, 100)
_LAN_LIMIT: Final = (10, 5)


def create_app(settings: Settings, static_dir: Path = STATIC_DIR) -> web.Application:
    """Build the application for this machine, and for a proxy on it.

    Args:
        settings: Must name a LiveKit server and its keys.
        static_dir: The built page.

    Raises:
        UserError: LIVEKIT_URL or its keys are missing or bad.
    """
    livekit = LiveKitAccess.from_settings(settings)
    app = _application(livekit, [rate_limiting(RateLimit(*_LOCAL_LIMIT))])
    health = _add_health(app, livekit, settings, static_dir, comes_from_outside)
    _add_tokens(app, livekit, livekit, settings, health)
    _add_page(app, static_dir)
    return app


def create_lan_app(
    settings: Settings, door: Door, static_dir: Path = STATIC_DIR
) -> web.Application:
    """Build the application for the local network: the same, behind the access code.

    LiveKit's signalling comes through it as well, because the server stays on loopback.

    Args:
        settings: Must name a LiveKit server and its keys.
        door: Where others come in.
        static_dir: The built page.

    Raises:
        UserError: LIVEKIT_URL or its keys are missing or bad.
    """
    upstream = LiveKitAccess.from_settings(settings)
    livekit = replace(upstream, url=door.signalling_url)
    limit = RateLimit(*_LAN_LIMIT)
    app = _application(livekit, [rate_limiting(limit), code_checking(door.code)])
    Signalling(upstream).add_routes(app)
    # Nobody needs a code to look, and so nobody is told much.
    health = _add_health(app, upstream, settings, static_dir, lambda _: True)
    _add_tokens(app, livekit, upstream, settings, health)
    if door.certificate.authority is not None:
        _add_authority(app, door.certificate.authority)
    _add_page(app, static_dir)
    return app


def _application(livekit: LiveKitAccess, middlewares: Sequence[Middleware]) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY, middlewares=middlewares)
    app.on_response_prepare.append(header_signal(livekit))
    return app


def _add_health(
    app: web.Application,
    livekit: LiveKitAccess,
    settings: Settings,
    static_dir: Path,
    outsider: Callable[[web.Request], bool],
) -> WebHealth:
    health = WebHealth(livekit, settings.worker_port, static_dir / "index.html", outsider)
    health.add_routes(app)
    return health


def _add_tokens(
    app: web.Application,
    livekit: LiveKitAccess,
    upstream: LiveKitAccess,
    settings: Settings,
    health: WebHealth,
) -> None:
    """Let callers in; they are told of ``livekit``, which this process knows as ``upstream``."""
    held = HeldCalls(upstream, settings.agent_name, health)
    held.work_in(app)
    TokenEndpoint(livekit, settings.agent_name, held.expect).add_routes(app)


def _add_authority(app: web.Application, path: Path) -> None:
    async def authority(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers={hdrs.CONTENT_TYPE: "application/x-x509-ca-cert"})

    app.router.add_get(AUTHORITY_PATH, authority)


def _add_page(app: web.Application, static_dir: Path) -> None:
    index = static_dir / "index.html"

    async def page(request: web.Request) -> web.StreamResponse:
        if index.is_file():
            return web.FileResponse(index)
        return web.Response(status=503, text=_NOT_BUILT)

    app.router.add_get("/", page)
    if static_dir.is_dir():
        app.router.add_static("/", static_dir)
