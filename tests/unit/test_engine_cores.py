"""The engine leaves the cores to those that compute."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from livekit.plugins.local.engine.config import EngineConfig
from livekit.plugins.local.engine.server import run_engine
from livekit.plugins.local.errors import EngineError
from threadpoolctl import ThreadpoolController, threadpool_limits

pytestmark = pytest.mark.unit


@pytest.fixture
def many_threads() -> Iterator[None]:
    with threadpool_limits(4, user_api="blas"):
        yield


async def test_numpy_has_no_threads_that_wait_by_computing(
    many_threads: None, tmp_path: Path
) -> None:
    assert set(numpy_threads()) == {4}
    config = EngineConfig(address="nowhere", models_dir=tmp_path)
    with pytest.raises(EngineError, match="nowhere"):
        await run_engine(config)
    assert set(numpy_threads()) == {1}


def numpy_threads() -> list[int]:
    return [pool["num_threads"] for pool in ThreadpoolController().select(user_api="blas").info()]
