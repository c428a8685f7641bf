"""The worker refuses calls until it can answer them."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import cast

import pytest
from livekit.agents import AgentServer
from pydantic import SecretStr

from agent.readiness import STANDBY_PORT, fetch_readiness
from agent.settings import Settings
from agent.worker_health import WorkerHealth
from tests.support.ports import free_port

pytestmark = pytest.mark.unit


class Server:
    """As much of the framework's server as the health looks at."""

    def __init__(self) -> None:
        self.active_jobs: list[object] = []
        self.listeners: dict[str, Callable[..., None]] = {}

    def on(self, event: str, listener: Callable[..., None]) -> None:
        self.listeners[event] = listener


def health(**state: bool) -> tuple[WorkerHealth, Server]:
    server, health = Server(), WorkerHealth(Settings(max_calls=2))
    health.watch(cast(AgentServer, server))
    for name, value in state.items():
        setattr(health, f"_{name}", value)
    return health, server


def test_it_is_full_while_the_engine_is_not_ready() -> None:
    assert health(engine=False)[0].load() == 1.0


@pytest.mark.parametrize(("calls", "load"), [(0, 0.0), (1, 0.5), (2, 1.0), (3, 1.0)])
def test_its_load_is_calls_per_capacity(calls: int, load: float) -> None:
    watched, server = health(engine=True)
    server.active_jobs = [SimpleNamespace()] * calls
    assert watched.load() == load


@pytest.mark.parametrize(("engine", "load"), [(0.3, 0.5), (0.9, 0.9), (1.0, 1.0)])
def test_a_busy_engine_counts_as_much_as_calls(engine: float, load: float) -> None:
    watched, server = health(engine=True)
    watched._engine_load = engine
    server.active_jobs = [SimpleNamespace()]
    assert watched.load() == load


@pytest.mark.parametrize("missing", ["registered", "livekit", "engine"])
def test_ready_needs_registration_server_and_engine(missing: str) -> None:
    everything = {"registered": True, "livekit": True, "engine": True}
    assert health(**everything)[0].ready
    assert not health(**{**everything, missing: False})[0].ready


def test_it_is_ready_only_when_livekit_has_heard_that_calls_can_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    watched, _ = health(registered=True, livekit=True, engine=False)
    watched.load()
    watched._engine = True
    watched.load()
    assert not watched.ready
    now += 3
    assert watched.ready


def test_registering_makes_it_ready() -> None:
    watched, server = health(engine=True)
    assert not watched.ready
    server.listeners["worker_registered"]("id", object())
    assert watched.ready


async def test_a_worker_in_waiting_takes_the_port_when_the_one_before_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, standby = free_port(), free_port()
    settings = Settings(
        worker_port=port,
        engine_url="unix:/nowhere/engine.sock",
        livekit_url="ws://127.0.0.1:9",
        livekit_api_key="key",
        livekit_api_secret=SecretStr("0123456789abcdef0123456789abcdef"),
    )
    async with AsyncExitStack() as before:
        await before.enter_async_context(WorkerHealth(settings).serve())
        monkeypatch.setenv(STANDBY_PORT, str(standby))
        successor = WorkerHealth(settings)
        async with successor.serve():
            assert await fetch_readiness(f"http://127.0.0.1:{standby}", "/healthz")
            await before.aclose()
            async with asyncio.timeout(10):
                while not await fetch_readiness(f"http://127.0.0.1:{port}", "/healthz"):
                    await asyncio.sleep(0.02)


def test_a_server_that_answers_late_once_does_not_make_it_unready_for_ever() -> None:
    watched, server = health(engine=True)
    server.listeners["worker_registered"]("id", object())
    watched._on_livekit(reachable=False, now=100)
    assert not watched.ready
    watched._on_livekit(reachable=True, now=101)
    watched._on_livekit(reachable=True, now=102)
    assert not watched.ready, "a restarted server would not know this worker yet"
    watched._on_livekit(reachable=True, now=114)
    assert watched.ready


def test_a_restarted_server_makes_it_ready_when_it_has_registered_again() -> None:
    watched, server = health(engine=True)
    server.listeners["worker_registered"]("id", object())
    watched._on_livekit(reachable=False, now=100)
    watched._on_livekit(reachable=True, now=101)
    server.listeners["worker_registered"]("id", object())
    assert watched.ready


def test_a_reachable_server_alone_does_not_make_it_ready() -> None:
    watched, _ = health(engine=True)
    for now in (1, 2, 100):
        watched._on_livekit(reachable=True, now=now)
    assert not watched.ready
