from pathlib import Path

import pytest
from livekit.plugins.local.engine import metrics

from agent.bench.engine import Engine, run_engine
from agent.errors import UserError
from agent.settings import Settings
from tests.support.engine import run_engine as serve

pytestmark = pytest.mark.unit


async def test_the_counts_of_speculation_are_read_from_the_engine(tmp_path: Path) -> None:
    async with serve(tmp_path) as served:
        engine = Engine(served.address, None)
        before = await engine.speculation()
        metrics.SPECULATION.labels("used").inc(2)
        after = await engine.speculation()
    assert after["used"] - before.get("used", 0.0) == 2


async def test_an_engine_that_runs_already_is_used_and_left_running(tmp_path: Path) -> None:
    async with serve(tmp_path) as served:
        async with run_engine(Settings(), served.address) as engine:
            assert engine == Engine(served.address, None)
        assert await engine.speculation() is not None


async def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/engine.sock"
    with pytest.raises(UserError, match=r"--engine unix:.* is not ready"):
        async with run_engine(Settings(), address):
            pass
