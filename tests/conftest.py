"""What every test gets: a category, a check for leaked tasks, and the real thing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from livekit.plugins.local.models import ModelStore

from agent.settings import Settings, load
from tests.support.livekit import RunningLiveKit, run_livekit
from tests.support.speech import Speaker, Transcriber
from tests.support.stack import Stack, run_stack

CATEGORIES = {"unit", "conformance", "e2e", "browser"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test whose module does not say to which category it belongs."""
    for item in items:
        found = CATEGORIES & {mark.name for mark in item.iter_markers()}
        if len(found) != 1:
            raise pytest.UsageError(f"{item.nodeid} needs exactly one of {sorted(CATEGORIES)}")


@pytest.fixture(autouse=True)
async def _no_leaked_tasks() -> AsyncIterator[None]:
    """Fail a test that leaves a task running."""
    before = asyncio.all_tasks()
    yield
    # What was cancelled in the test's last step gets one turn of the loop to end.
    for _ in range(5):
        await asyncio.sleep(0)
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not leaked, f"tasks outlived the test: {sorted(task.get_name() for task in leaked)}"


@pytest.fixture(scope="session")
def settings() -> Settings:
    """The settings of this machine, from which tests take the cache and the models."""
    return load()


@pytest.fixture(scope="session")
def models(settings: Settings) -> Callable[[str], Path]:
    """Return the directory of a model, which `make` has fetched."""
    store = ModelStore(settings.cache_dir / "models")

    def find(model_id: str) -> Path:
        path = store.locate(model_id)
        assert path, f"the model {model_id} is missing; `make test` fetches it"
        return path

    return find


@pytest.fixture(scope="session")
def speaker(models: Callable[[str], Path]) -> Speaker:
    """The voices of the tests' callers."""
    return Speaker(models)


@pytest.fixture(scope="session")
def say(speaker: Speaker) -> Callable[[str, str], np.ndarray]:
    """Return a text, spoken: int16 samples at 48 kHz."""
    return speaker.say


@pytest.fixture(scope="session")
def transcriber(models: Callable[[str], Path]) -> Transcriber:
    """The judge of what the agent said."""
    return Transcriber(models)


@pytest.fixture(scope="session")
def livekit(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningLiveKit]:
    """A real LiveKit server on loopback."""
    with run_livekit(settings, tmp_path_factory.mktemp("livekit")) as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything, as ``eloquence up`` starts it, with the default models."""
    with run_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
