"""Whether a call can be placed from here: ``/healthz`` and ``/readyz``."""

import asyncio
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from agent.readiness import Component, Readiness, fetch_readiness
from agent.web.access import LiveKitAccess


class WebHealth:
    """Answers the two probes.

    This process can serve when LiveKit answers and the page is built; the status code of
    ``/readyz`` says that much. The worker is reported as well, because without it nobody takes the
    call, but it does not change the status: it becomes ready on its own, and the page says so when
    no agent joins.

    Args:
        livekit: The server that tokens are for.
        worker_port: Health port of the worker on this machine.
        index: The built page.
    """

    def __init__(self, livekit: LiveKitAccess, worker_port: int, index: Path) -> None:
        self._livekit_url = str(livekit.http_url)
        self._worker_url = f"http://127.0.0.1:{worker_port}"
        self._index = index

    async def healthz(self, request: web.Request) -> web.Response:
        """Answer 200: the process is alive."""
        return web.json_response({"alive": True})

    async def readyz(self, request: web.Request) -> web.Response:
        """Answer 200 when this process can serve, else 503; the body names each component."""
        livekit, worker = await asyncio.gather(
            fetch_readiness(self._livekit_url, "/"), fetch_readiness(self._worker_url)
        )
        components = {
            "livekit": self._livekit(livekit),
            "page": self._page(),
            "worker": self._worker(worker),
        }
        ready = components["livekit"].state == components["page"].state == "ready"
        body = {
            "ready": ready,
            "components": {name: asdict(component) for name, component in components.items()},
        }
        return web.json_response(body, status=200 if ready else 503)

    def _livekit(self, answer: Readiness | None) -> Component:
        if answer is None:
            return Component(
                "missing", f"LiveKit does not answer at {self._livekit_url} (LIVEKIT_URL)."
            )
        if not answer.ready:
            return Component("loading", f"LiveKit at {self._livekit_url} is not ready.")
        return Component("ready")

    def _worker(self, answer: Readiness | None) -> Component:
        if answer is None:
            return Component("missing", f"No worker answers at {self._worker_url} (WORKER_PORT).")
        if not answer.ready:
            return Component("loading", "The worker cannot take a call yet.")
        return Component("ready")

    def _page(self) -> Component:
        if not self._index.is_file():
            return Component("failed", "The page is not built; `make` builds it.")
        return Component("ready")
