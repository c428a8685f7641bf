"""The worker refuses calls until it can answer them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
from livekit.agents import AgentServer

from agent.settings import Settings
from agent.worker_health import WorkerHealth

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


@pytest.mark.parametrize("missing", ["registered", "livekit", "engine"])
def test_ready_needs_registration_server_and_engine(missing: str) -> None:
    everything = {"registered": True, "livekit": True, "engine": True}
    assert health(**everything)[0].ready
    assert not health(**{**everything, missing: False})[0].ready


def test_registering_makes_it_ready() -> None:
    watched, server = health(engine=True)
    assert not watched.ready
    server.listeners["worker_registered"]("id", object())
    assert watched.ready
