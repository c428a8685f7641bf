"""The engine ends when it is told to, whatever its models are doing."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.readiness import Readiness
from agent.readiness_feed import first, told_by
from tests.support.engine_process import EngineProcess

pytestmark = [pytest.mark.e2e, pytest.mark.waits]

# A model takes longer to load than anybody who pressed Ctrl-C waits gladly.
_SECONDS = 5.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    engine = EngineProcess(tmp_path, dict(os.environ))
    engine.start()
    yield engine
    engine.kill()


def answers(answer: Readiness | None) -> bool:
    return answer is not None


def loads(answer: Readiness | None) -> bool:
    busy = {"loading", "warming"}
    return answer is not None and any(each.state in busy for each in answer.components.values())


def has_loaded(answer: Readiness | None) -> bool:
    return answer is not None and answer.ready and answer.settled


@pytest.mark.parametrize(
    ("when", "number"),
    [(answers, signal.SIGINT), (loads, signal.SIGTERM), (has_loaded, signal.SIGINT)],
)
async def test_it_ends_at_once_and_well(
    engine: EngineProcess, when: Callable[[Readiness | None], bool], number: signal.Signals
) -> None:
    async with asyncio.timeout(60):
        await first(told_by(engine.address), when)
    assert isinstance(engine.process, subprocess.Popen)
    engine.process.send_signal(number)
    status = await asyncio.to_thread(engine.process.wait, _SECONDS)
    log = (engine.folder / "engine.log").read_text()
    assert (status, "terminate" in log, "Traceback" in log) == (0, False, False), log
