"""Whether the worker can take calls, for LiveKit (its load) and for operators (``/readyz``)."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

from aiohttp import ClientError, web
from livekit import api
from livekit.agents import AgentServer

from agent.errors import UserError
from agent.readiness import STANDBY_PORT, Readiness, fetch_readiness
from agent.settings import Settings

_log = logging.getLogger(__name__)

_PROBE_SECONDS = 1.0
# The framework asks for the load every 0.5 s and passes it on to LiveKit every 2.5 s.
_LOAD_SECONDS = 3.0
# The framework's longest pause between two attempts to register, and a little.
_REGISTER_SECONDS = 12.0
_INHERIT_SECONDS = 0.1
_HOST = "127.0.0.1"


class WorkerHealth:
    """Watches what a call needs; refuses calls while something is missing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: AgentServer | None = None
        self._registered = False
        self._livekit = False
        self._lost = False
        self._back_at = -inf
        self._engine = False
        self._engine_load = 0.0
        self._refused_at = -inf

    def watch(self, server: AgentServer) -> None:
        """Follow the registration of ``server``."""
        self._server = server
        server.on("worker_registered", self._on_registered)

    @property
    def ready(self) -> bool:
        """Whether a call can be taken and answered now."""
        return self._registered and self._livekit and self._engine and self._offered

    @property
    def _offered(self) -> bool:
        """Whether LiveKit must have heard meanwhile that calls can come."""
        return time.monotonic() - self._refused_at >= _LOAD_SECONDS

    def load(self) -> float:
        """Return the load in [0, 1] that LiveKit sees: 1 means no more calls."""
        if not self._engine or self._server is None:
            self._refused_at = time.monotonic()
            return 1.0
        calls = len(self._server.active_jobs)
        # The engine may serve other workers too, or be slower than whoever set the capacity hoped.
        return min(1.0, max(self._engine_load, calls / self._settings.max_calls))

    async def check_key(self) -> None:
        """Ask LiveKit whether it accepts the key; an unreachable server is left to the retries.

        Raises:
            UserError: It does not.
        """
        settings = self._settings
        secret = settings.livekit_api_secret
        async with api.LiveKitAPI(
            settings.livekit_url,
            settings.livekit_api_key,
            secret.get_secret_value() if secret else None,
        ) as livekit:
            try:
                await livekit.room.list_rooms(api.ListRoomsRequest())
            except api.TwirpError as error:
                if error.status in (401, 403):
                    raise UserError(
                        f"The LiveKit server at {settings.livekit_url} refuses the key; check "
                        "LIVEKIT_API_KEY and LIVEKIT_API_SECRET."
                    ) from None
            except (ClientError, OSError, TimeoutError) as error:
                _log.error(
                    "the LiveKit server at LIVEKIT_URL=%s cannot be reached (%s); still trying",
                    settings.livekit_url,
                    error,
                )

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Serve ``/healthz`` and ``/readyz`` and keep probing, until the context ends.

        A worker that takes over from another is first asked on the port in
        ``ELOQUENCE_STANDBY_PORT``, and on its own once that is free.

        Raises:
            UserError: The port is taken.
        """
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        port = self._settings.worker_port
        standby = os.environ.get(STANDBY_PORT)
        try:
            await web.TCPSite(runner, _HOST, int(standby or port)).start()
        except OSError as error:
            await runner.cleanup()
            raise UserError(
                f"Port {port} is taken ({error.strerror}); set WORKER_PORT to a free one."
            ) from None
        tasks = [asyncio.create_task(self._probe_for_ever())]
        if standby:
            tasks.append(asyncio.create_task(_inherit(runner, port)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()

    def _on_livekit(self, *, reachable: bool, now: float) -> None:
        """Follow the server; one that was restarted has forgotten this worker.

        The framework then registers anew by itself. When it has not after the longest of its
        pauses, the server was only slow to answer us, and knows this worker as before.
        """
        if not reachable:
            self._lost = self._lost or self._registered
            self._registered = False
        elif not self._livekit:
            self._back_at = now
        elif self._lost and now - self._back_at > _REGISTER_SECONDS:
            self._registered, self._lost = True, False
        self._livekit = reachable

    def _on_registered(self, *_: object) -> None:
        self._registered, self._lost = True, False
        self._livekit = True
        _log.info("registered with LiveKit as %s", self._settings.agent_name)

    async def _probe_for_ever(self) -> None:
        while True:
            was_ready = self._engine
            engine = await fetch_readiness(self._settings.engine_address)
            self._engine = _ready(engine)
            self._engine_load = engine.load if engine else 0.0
            if was_ready != self._engine:
                _log.info("the speech engine is %s", "ready" if self._engine else "not ready")
            # Any answer will do: a busy server calls itself unwell without being so.
            answer = await fetch_readiness(self._livekit_http, "/")
            self._on_livekit(reachable=answer is not None, now=time.monotonic())
            await asyncio.sleep(_PROBE_SECONDS)

    @property
    def _livekit_http(self) -> str:
        url = self._settings.livekit_url or ""
        return url.replace("ws", "http", 1).rstrip("/") if url.startswith("ws") else url

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        parts = {
            "livekit": (self._registered and self._livekit, "not registered with LiveKit"),
            "engine": (self._engine, "the speech engine is not ready"),
            "capacity": (self._offered, "LiveKit has not heard yet that calls can come"),
        }
        body = {
            "ready": self.ready,
            "components": {
                name: {
                    "state": "ready" if good else "loading",
                    "message": "" if good else message,
                    "done": None,
                    "total": None,
                }
                for name, (good, message) in parts.items()
            },
        }
        return web.json_response(body, status=200 if self.ready else 503)


async def _inherit(runner: web.AppRunner, port: int) -> None:
    """Listen on a port as soon as the worker that has it now is gone."""
    while True:
        site = web.TCPSite(runner, _HOST, port)
        try:
            await site.start()
        except OSError:
            await site.stop()
            await asyncio.sleep(_INHERIT_SECONDS)
        else:
            return


def _ready(readiness: Readiness | None) -> bool:
    return readiness is not None and readiness.ready
