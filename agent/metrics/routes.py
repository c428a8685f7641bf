"""``/metrics`` of the worker, and the engine's, which Prometheus cannot read from a socket."""

import aiohttp
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from agent.readiness import open_session

PATH = "/metrics"
ENGINE_PATH = "/metrics/engine"
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_HEADERS = {hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST}


def add_metrics(app: web.Application, registry: CollectorRegistry, engine: str) -> None:
    """Serve metrics.

    Args:
        app: The application.
        registry: What this process counts.
        engine: Address of the speech engine.
    """

    async def own(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers=_HEADERS)

    async def engines(_: web.Request) -> web.Response:
        try:
            async with (
                open_session(engine) as (session, base),
                session.get(base + PATH, timeout=_TIMEOUT) as answer,
            ):
                return web.Response(
                    body=await answer.read(), status=answer.status, headers=_HEADERS
                )
        except (aiohttp.ClientError, OSError, TimeoutError):
            return web.Response(status=502, text="The speech engine does not answer.\n")

    app.router.add_get(PATH, own)
    app.router.add_get(ENGINE_PATH, engines)
