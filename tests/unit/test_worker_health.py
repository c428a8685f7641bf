"""The worker refuses calls until it can answer them."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit.agents import AgentServer
from pydantic import SecretStr

from agent.readiness import STANDBY_PORT, Component, Readiness, fetch_readiness
from agent.settings import Settings
from agent.worker import health as worker_health
from agent.worker.health import WorkerHealth
from tests.support.ports import free_port

pytestmark = pytest.mark.unit


class Server:
    """As much of the framework's server as the health looks at."""

    def __init__(self) -> None:
        self.active_jobs: list[object] = []
        self.listeners: dict[str, Callable[..., None]] = {}

    def on(self, event: str, listener: Callable[..., None]) -> None:
        self.listeners[event] = listener


SPEECH = {"stt": Component("ready"), "tts:espeak": Component("ready")}
ABLE = Readiness(True, SPEECH)
UNABLE = Readiness(False, {**SPEECH, "stt": Component("downloading", "base", 1, 4)})
UP = Readiness(True)


def health(
    *, engine: Readiness | None = ABLE, registered: bool = True, **settings: Any
) -> tuple[WorkerHealth, Server]:
    server = Server()
    health = WorkerHealth(Settings(**{"max_calls": 2, **settings}))
    health.watch(cast(AgentServer, server))
    health._on_llm(UP)
    health._on_livekit(UP)
    if registered:
        server.listeners["worker_registered"]("id", object())
    health._on_engine(engine)
    return health, server


@pytest.mark.parametrize("engine", [None, UNABLE])
def test_it_is_full_while_the_engine_is_not_ready(engine: Readiness | None) -> None:
    watched, _ = health(engine=engine)
    assert watched.load() == 1.0
    assert not watched.readiness.ready


# From there on LiveKit gives a worker no job, unless it is told otherwise.
LIVEKIT_LIMIT = 0.7


@pytest.mark.parametrize("capacity", [2, 4, 100])
def test_every_place_for_a_call_can_be_taken(capacity: int) -> None:
    watched, server = health(max_calls=capacity)
    loads = []
    for calls in range(capacity):
        server.active_jobs = [SimpleNamespace()] * calls
        loads.append(watched.load())
    assert loads[0] == 0.0
    assert loads == sorted(set(loads))  # another worker with fewer calls is preferred
    assert loads[-1] < LIVEKIT_LIMIT
    for calls in (capacity, capacity + 1):
        server.active_jobs = [SimpleNamespace()] * calls
        assert watched.load() == 1.0


@pytest.mark.parametrize(("engine", "share"), [(0.3, 0.5), (0.9, 0.9)])
def test_a_busy_engine_counts_as_much_as_calls(engine: float, share: float) -> None:
    watched, server = health(engine=Readiness(True, SPEECH, engine))
    server.active_jobs = [SimpleNamespace()]
    assert watched.load() == pytest.approx(share * 0.69)
    watched._on_engine(Readiness(True, SPEECH, 1.0))
    assert watched.load() == 1.0


def test_ready_needs_registration_server_and_engine() -> None:
    assert health()[0].readiness.ready
    assert not health(registered=False)[0].readiness.ready
    assert not health(engine=None)[0].readiness.ready
    watched, _ = health()
    watched._on_livekit(None)
    assert not watched.readiness.ready


def test_some_voice_and_some_ears_are_enough() -> None:
    parts = {**SPEECH, "tts:kokoro": Component("downloading", "kokoro", 1, 4)}
    assert health(engine=Readiness(True, parts))[0].readiness.ready


def test_ears_elsewhere_do_not_wait_for_the_engine_to_hear() -> None:
    elsewhere: dict[str, Any] = {"stt": "openai", "stt_base_url": "http://127.0.0.1:9/v1"}
    assert health(engine=UNABLE, **elsewhere)[0].readiness.ready


async def test_a_language_model_on_its_way_is_waited_for_and_one_that_is_away_is_not() -> None:
    watched, _ = health()
    arriving = {"model": Component("downloading", "qwen", 1, 4)}
    watched._on_llm(Readiness(False, arriving))
    assert watched.load() == 1.0
    assert watched.readiness["llm"] == arriving["model"]
    watched._on_llm(None)
    assert watched.load() == 0.0


async def test_it_is_ready_only_when_livekit_has_heard_that_calls_can_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_health, "_LOAD_SECONDS", 0.05)
    watched, _ = health(engine=UNABLE)
    assert watched.load() == 1.0
    watched._on_engine(ABLE)
    assert watched.load() == 0.0
    assert not watched.readiness.ready
    assert await watched.readiness.until(lambda parts: parts.ready, timeout=10)


async def test_a_failed_part_of_the_engine_is_passed_on() -> None:
    broken = Component("failed", "There is no room; free 1 GB.", code="disk_full")
    watched, _ = health(engine=Readiness(False, {"disk": broken}))
    assert watched.readiness["engine"].parts == {"disk": broken}


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
    watched, _ = health()
    watched._on_livekit(None, now=100)
    assert not watched.readiness.ready
    watched._on_livekit(UP, now=101)
    watched._on_livekit(UP, now=102)
    assert not watched.readiness.ready, "a restarted server would not know this worker yet"
    watched._on_livekit(UP, now=114)
    assert watched.readiness.ready


def test_a_restarted_server_makes_it_ready_when_it_has_registered_again() -> None:
    watched, server = health()
    watched._on_livekit(None, now=100)
    watched._on_livekit(UP, now=101)
    server.listeners["worker_registered"]("id", object())
    assert watched.readiness.ready


def test_a_reachable_server_alone_does_not_make_it_ready() -> None:
    watched, _ = health(registered=False)
    for now in (1, 2, 100):
        watched._on_livekit(UP, now=now)
    assert not watched.readiness.ready
