"""Whether a call can be placed from here: ``/healthz`` and ``/readyz``."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

from aiohttp import web
from livekit.plugins.local.readiness import Component
from livekit.plugins.local.readiness import Readiness as Parts
from livekit.plugins.local.readyz import PATH, Readyz

from agent.readiness import Readiness
from agent.readiness_feed import Feed, livekit_feed, told_by
from agent.web.access import LiveKitAccess

# How long the first question waits for the first answers of LiveKit and worker.
_FIRST_SECONDS = 2.5


class WebHealth:
    """Follows LiveKit and the worker, and answers the two probes.

    This process can serve when LiveKit answers and the page is built; the status code of
    ``/readyz`` says that much. The worker is reported as well, with its parts, because without it
    nobody takes the call, but it does not change the status: a call that comes early is held.

    Args:
        livekit: The server that tokens are for.
        worker_port: Health port of the worker on this machine.
        index: The built page.
        outsider: Whether who asks is told the states alone; see `Readyz`.

    Attributes:
        readiness: ``livekit``, ``page`` and ``worker``.
    """

    def __init__(
        self,
        livekit: LiveKitAccess,
        worker_port: int,
        index: Path,
        outsider: Callable[[web.Request], bool],
    ) -> None:
        self.readiness = Parts(["livekit", "page", "worker"], needs=["livekit", "page"])
        self._livekit_url = str(livekit.http_url).rstrip("/")
        self._worker_url = f"http://127.0.0.1:{worker_port}"
        self._index = index
        self._heard = {"livekit": asyncio.Event(), "worker": asyncio.Event()}
        self._readyz = Readyz(self.readiness, outsider)
        self.had_worker = False
        """Whether a worker has ever answered on this machine."""

    def add_routes(self, app: web.Application) -> None:
        """Serve the probes, and follow the others while the application runs."""
        app.cleanup_ctx.append(self._following)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get(PATH, self._answer)
        app.on_shutdown.append(self._readyz.close)

    async def _following(self, _: web.Application) -> AsyncIterator[None]:
        self.readiness.set("page", self._page())
        livekit, worker = livekit_feed(self._livekit_url), told_by(self._worker_url)
        tasks = [
            asyncio.create_task(self._follow("livekit", livekit, self._livekit)),
            asyncio.create_task(self._follow("worker", worker, self._worker)),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(
        self, name: str, feed: Feed, judge: Callable[[Readiness | None], Component]
    ) -> None:
        async with aclosing(feed()) as answers:
            async for answer in answers:
                self.readiness.set(name, judge(answer))
                self._heard[name].set()

    async def _healthz(self, request: web.Request) -> web.Response:
        """Answer 200: the process is alive."""
        return web.json_response({"alive": True})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Answer 200 when this process can serve, else 503; the body names each component."""
        self.readiness.set("page", self._page())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_SECONDS):
                await asyncio.gather(*(heard.wait() for heard in self._heard.values()))
        return await self._readyz.answer(request)

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
        self.had_worker = True
        parts = dict(answer.components)
        if not answer.ready:
            return Component("loading", "The worker cannot take a call yet.", parts=parts)
        return Component("ready", parts=parts)

    def _page(self) -> Component:
        if not self._index.is_file():
            return Component("failed", "The page is not built; `make` builds it.")
        return Component("ready")
