"""The worker: takes calls from LiveKit and runs each in a process of its own."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from livekit.agents import AgentServer, JobContext, JobProcess
from livekit.agents.utils import http_context

from agent import logs
from agent.call.session import run_call
from agent.call.speech import preload
from agent.errors import UserError
from agent.llm.client import connect_once
from agent.metrics.turns import TurnMetrics, count_receipts
from agent.settings import ENV_FILE_READ, Settings, load
from agent.worker import job_server
from agent.worker.health import WorkerHealth

_log = logging.getLogger(__name__)

# Would make the framework choose hosted services, or send it what was said.
_CLOUD_VARIABLES = (
    "LIVEKIT_DEV_MODE",
    "LIVEKIT_REMOTE_EOT_URL",
    "LIVEKIT_INFERENCE_URL",
    "LIVEKIT_OBSERVABILITY_URL",
)


async def take_call(ctx: JobContext) -> None:
    """Entry point of a job process."""
    await run_call(ctx, load())


def warm_up(_: JobProcess) -> None:
    """Do once per job process, before it has a call, what would hold up that call's first turn."""
    settings = load()
    preload(settings)
    asyncio.run(connect_once(settings))


@dataclass(frozen=True, slots=True)
class JobSteps:
    """What a job process does; functions of a module, since they are sent there by name.

    Attributes:
        take_call: Holds one call.
        warm_up: Is called before there is one.
    """

    take_call: Callable[[JobContext], Awaitable[None]] = take_call
    warm_up: Callable[[JobProcess], None] = warm_up


def run(settings: Settings, steps: JobSteps = JobSteps()) -> None:
    """Serve calls until SIGTERM or SIGINT; then let those in progress end.

    Args:
        settings: The settings.
        steps: What is done for a call.

    Raises:
        UserError: LiveKit is not configured, refuses the key, or cannot be reached for minutes.
    """
    _ignore_hosted_services()
    os.environ[ENV_FILE_READ] = "1"  # for the processes of the calls
    if sys.platform.startswith("linux"):  # elsewhere, libraries do not survive a fork
        # A copy has the environment of now; the framework would see to this only later.
        http_context._set_default_cert_env()
        job_server.fork()
    logs.setup(settings, "worker")
    asyncio.run(_serve(settings, steps))


def _ignore_hosted_services() -> None:
    """Forget the variables that would lead the framework to hosted services."""
    for name in _CLOUD_VARIABLES:
        os.environ.pop(name, None)


def build_server(
    settings: Settings, load_fnc: Callable[[], float], steps: JobSteps = JobSteps()
) -> AgentServer:
    """Return the framework's server, not yet running.

    Raises:
        UserError: LiveKit's address or key is not set.
    """
    secret = settings.livekit_api_secret
    if not (settings.livekit_url and settings.livekit_api_key and secret):
        raise UserError(
            "The worker needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; "
            "`eloquence up` starts a server and sets them."
        )
    server = AgentServer(
        ws_url=settings.livekit_url,
        api_key=settings.livekit_api_key,
        api_secret=secret.get_secret_value(),
        setup_fnc=steps.warm_up,
        preload_modules=[job_server.PRELOAD],
        # Idle processes make a call start at once; each holds about 100 MB.
        num_idle_processes=min(2, settings.max_calls),
        load_fnc=load_fnc,
        # The load is calls per capacity, so only a full worker is at its threshold.
        load_threshold=0.999,
        drain_timeout=settings.drain_seconds,
        initialize_process_timeout=30.0,
        host="127.0.0.1",
        port=0,
        log_level=settings.log_level,
    )
    server.rtc_session(steps.take_call, agent_name=settings.agent_name)
    return server


async def _serve(settings: Settings, steps: JobSteps) -> None:
    health = WorkerHealth(settings)
    count_receipts(TurnMetrics(health.registry))
    server = build_server(settings, health.load, steps)
    health.watch(server)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with health.serve():
        await health.check_key()
        serving = asyncio.create_task(server.run(devmode=False))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if serving.done() and serving.exception():
            raise UserError(
                f"The LiveKit server at LIVEKIT_URL={settings.livekit_url} cannot be reached; "
                "the worker gave up."
            )
        await _drain(server, settings)
        await server.aclose()
        await asyncio.gather(serving, return_exceptions=True)


async def _drain(server: AgentServer, settings: Settings) -> None:
    # A second signal ends the process at once, for the impatient.
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, partial(os._exit, 1))
    if not settings.drain_seconds:
        return
    calls = len(server.active_jobs)
    if calls:
        _log.info("waiting up to %d s for %d calls to end", settings.drain_seconds, calls)
    try:
        await server.drain(timeout=settings.drain_seconds)
    except TimeoutError:
        _log.warning("calls were cut off: DRAIN_SECONDS=%d is over", settings.drain_seconds)
