import os
from pathlib import Path
from typing import ClassVar

import pytest

from agent.bench.corpus import Clip
from agent.bench.engine import Engine
from agent.bench.machine import Usage
from agent.bench.report import Report
from agent.bench.stt import measure as module
from agent.bench.stt.measure import Measurement, measure
from agent.bench.stt.play import Hearing
from tests.support.bench import FakeOurs, hearing, spoken

pytestmark = pytest.mark.unit


class FakeEngine(Engine):
    """Speculates once more each time it is asked how often it did."""

    asked = 0

    async def speculation(self) -> dict[str, float]:
        FakeEngine.asked += 1
        return {"used": float(FakeEngine.asked), "missed": 3.0}


class FakeBaseline:
    """Writes into a log."""

    log: ClassVar[list[str]] = []

    def __init__(self, model: Path) -> None:
        self.pid = os.getpid()

    async def start(self) -> None:
        self.log.append("start")

    async def hear(self, clip: Clip, system: str) -> Hearing:
        self.log.append(system)
        return hearing("hello", 3.0)

    async def aclose(self) -> None:
        self.log.append("end")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(module, "BaselineProcess", FakeBaseline)
    monkeypatch.setattr(FakeBaseline, "log", [])
    return FakeBaseline.log


async def test_systems_take_turns_on_every_clip(tmp_path: Path, log: list[str]) -> None:
    clips = [spoken(tmp_path, f"en_{number}", "hello there") for number in range(2)]
    ours = FakeOurs(log, lambda *_: [])
    engine = FakeEngine("unix:/nowhere", Usage(os.getpid()))
    report, saved, lines = Report({}), list[int](), list[str]()
    await measure(
        Measurement(engine, ours, tmp_path, ["ours", "silero", "reference"]),
        clips,
        report,
        lambda: saved.append(len(report.rows)),
        lines.append,
    )
    assert log == ["start", *["ours", "silero", "reference"] * 2, "end"]
    assert saved == [3, 6]
    assert len(lines) == 2
    assert report.speculation == {"used": 2.0, "missed": 0.0}
    assert report.megabytes.keys() == {"engine", "baseline"}
    first = report.rows[0]
    assert first.engine_seconds is not None and first.cpu_seconds is not None
    # The plugin's own work comes on top of the engine's.
    assert first.cpu_seconds == pytest.approx(first.engine_seconds + 0.25)
    assert first.errors == 0
    assert report.rows[1].errors == 1


async def test_ours_alone_needs_no_baseline(tmp_path: Path, log: list[str]) -> None:
    clips = [spoken(tmp_path, "en_0", "hello there")]
    measurement = Measurement(
        FakeEngine("unix:/nowhere", None), FakeOurs(log, lambda *_: []), tmp_path, ["ours"]
    )
    report = Report({})
    await measure(measurement, clips, report, lambda: None, lambda _: None)
    assert log == ["ours", "end"]
    assert report.rows[0].cpu_seconds is None
    assert report.megabytes == {}
