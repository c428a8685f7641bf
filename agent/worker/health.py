"""Whether the worker can take calls, for LiveKit (its load) and for operators (``/readyz``)."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from math import inf

from aiohttp import ClientError, web
from livekit import api
from livekit.agents import AgentServer
from livekit.plugins.local.readiness import Component
from livekit.plugins.local.readiness import Readiness as Parts
from livekit.plugins.local.readyz import Readyz

from agent.errors import UserError
from agent.metrics.routes import add_metrics
from agent.metrics.worker import WorkerCollector, worker_registry
from agent.readiness import STANDBY_PORT, Readiness
from agent.readiness_feed import Feed, first, livekit_feed, llm_feed, told_by
from agent.settings import Settings

_log = logging.getLogger(__name__)

# The framework asks for the load every 0.5 s and passes it on to LiveKit every 2.5 s.
_LOAD_SECONDS = 3.0
# A little less than LiveKit's limit, 0.7 by default:
# https://github.com/livekit/livekit/blob/v1.13.5/pkg/agent/config.go
_WITH_A_PLACE_LEFT = 0.69
# The framework's longest pause between two attempts to register, and a little.
_REGISTER_SECONDS = 12.0
_HOST = "127.0.0.1"


class WorkerHealth:
    """Watches what a call needs; refuses calls while something is missing.

    Attributes:
        readiness: ``livekit``, ``engine``, ``llm``, and ``capacity``: whether LiveKit knows that
            calls can come.
        registry: What ``/metrics`` tells.
    """

    def __init__(self, settings: Settings) -> None:
        self.readiness = Parts(
            ["livekit", "engine", "llm", "capacity"], needs=["livekit", "engine", "capacity"]
        )
        self.registry = worker_registry(
            WorkerCollector(
                self.readiness,
                calls=lambda: self._calls,
                max_calls=settings.max_calls,
                load=lambda: self._busy,
            )
        )
        self._settings = settings
        self._server: AgentServer | None = None
        self._registered = False
        self._livekit = False
        self._lost = False
        self._back_at = -inf
        self._engine_load = 0.0
        self._able = False
        self._refused = False
        self._offering: asyncio.TimerHandle | None = None

    def watch(self, server: AgentServer) -> None:
        """Follow the registration of ``server``."""
        self._server = server
        server.on("worker_registered", self._on_registered)

    def load(self) -> float:
        """Return the load in [0, 1] that LiveKit sees: 1 means no more calls.

        LiveKit gives no job to a worker from its own limit on, ``agents.target_load``, so that one
        with a place left has to stay below it.
        """
        if not self._able or self._server is None:
            self._refused = True
        return self._busy if self._busy >= 1.0 else self._busy * _WITH_A_PLACE_LEFT

    @property
    def _calls(self) -> int:
        return len(self._server.active_jobs) if self._server else 0

    @property
    def _busy(self) -> float:
        if not self._able or self._server is None:
            return 1.0
        # The engine may serve other workers too, or be slower than whoever set the capacity hoped.
        return min(1.0, max(self._engine_load, self._calls / self._settings.max_calls))

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
        """Serve ``/healthz``, ``/readyz`` and metrics, and keep probing, until the context ends.

        A worker that takes over from another is first asked on the port in
        ``ELOQUENCE_STANDBY_PORT``, and on its own once that is free.

        Raises:
            UserError: The port is taken.
        """
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        Readyz(self.readiness).add_routes(app)
        add_metrics(app, self.registry, self._settings.engine_address)
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
        settings = self._settings
        following = [
            _follow(told_by(settings.engine_address), self._on_engine),
            _follow(llm_feed(settings), self._on_llm),
            _follow(livekit_feed(settings.livekit_url or ""), self._on_livekit),
        ]
        if standby:
            following.append(_inherit(runner, port))
        tasks = [asyncio.create_task(each) for each in following]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._offering:
                self._offering.cancel()
            await runner.cleanup()

    def _on_engine(self, answer: Readiness | None) -> None:
        self._engine_load = answer.load if answer else 0.0
        hears, speaks = self._senses(answer)
        was, able = self.readiness["engine"].state == "ready", hears and speaks
        if was != able:
            _log.info("the speech engine is %s", "ready" if able else "not ready")
        if answer is None:
            part = Component("missing", "the speech engine does not answer")
        else:
            message = "" if able else "the speech engine is not ready"
            part = Component("ready" if able else "loading", message, parts=dict(answer.components))
        self.readiness.set("engine", part)
        self._judge()

    def _senses(self, engine: Readiness | None) -> tuple[bool, bool]:
        """Return whether a caller would be heard, and spoken to: by the engine, or elsewhere."""
        if engine is None:
            return False, False
        if engine.ready:
            return True, True
        hears = engine.able("stt") or any(name != "local" for name in self._settings.ears)
        return hears, engine.able("tts") or self._settings.tts != "local"

    def _on_llm(self, answer: Readiness | None) -> None:
        if answer is None:
            # It may never come. The agent then says so itself, which helps more than silence.
            part = Component("missing", "the language model does not answer")
        elif answer.ready:
            part = Component("ready")
        else:
            arriving = [each for each in answer.components.values() if not each.settled]
            part = arriving[0] if arriving else Component("loading")
        self.readiness.set("llm", part)
        self._judge()

    def _judge(self) -> None:
        """Decide whether calls can come, and tell so when LiveKit must have heard it."""
        able = self.readiness["engine"].state == "ready" and (
            self.readiness["llm"].state in ("ready", "missing")
        )
        if able == self._able:
            return
        self._able = able
        if self._offering:
            self._offering.cancel()
        if not able:
            self.readiness.set("capacity", Component("loading", "no call could be answered"))
        elif self._refused:
            message = "LiveKit has not heard yet that calls can come"
            self.readiness.set("capacity", Component("loading", message))
            loop = asyncio.get_running_loop()
            self._offering = loop.call_later(_LOAD_SECONDS, self._offer)
        else:
            self._offer()

    def _offer(self) -> None:
        self._refused = False
        self.readiness.set("capacity", Component("ready"))

    def _on_livekit(self, answer: Readiness | None, now: float | None = None) -> None:
        """Follow the server; one that was restarted has forgotten this worker.

        The framework then registers anew by itself. When it has not after the longest of its
        pauses, the server was only slow to answer us, and knows this worker as before.
        """
        # Any answer will do: a busy server calls itself unwell without being so.
        reachable = answer is not None
        now = time.monotonic() if now is None else now
        if not reachable:
            self._lost = self._lost or self._registered
            self._registered = False
        elif not self._livekit:
            self._back_at = now
        elif self._lost and now - self._back_at > _REGISTER_SECONDS:
            self._registered, self._lost = True, False
        self._livekit = reachable
        self._show_livekit()

    def _on_registered(self, *_: object) -> None:
        self._registered, self._lost = True, False
        self._livekit = True
        self._show_livekit()
        _log.info("registered with LiveKit as %s", self._settings.agent_name)

    def _show_livekit(self) -> None:
        good = self._registered and self._livekit
        part = Component("ready") if good else Component("loading", "not registered with LiveKit")
        self.readiness.set("livekit", part)

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})


async def _follow(feed: Feed, take: Callable[[Readiness | None], None]) -> None:
    async with aclosing(feed()) as answers:
        async for answer in answers:
            take(answer)


async def _inherit(runner: web.AppRunner, port: int) -> None:
    """Listen on a port as soon as the worker that has it now is gone."""
    while True:
        await first(told_by(f"http://{_HOST}:{port}"), lambda answer: answer is None)
        site = web.TCPSite(runner, _HOST, port)
        try:
            await site.start()
        except OSError:
            await site.stop()
        else:
            return
