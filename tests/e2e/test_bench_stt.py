import json
from pathlib import Path

import pytest

from agent.bench.report import Report, read
from agent.bench.stt.rows import BASELINE, NATIVE, OURS, REFERENCE, SYSTEMS
from agent.bench.stt.run import Plan, run
from agent.settings import Settings

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench") / "out.json"


async def test_a_short_run_measures_everything(settings: Settings, path: Path) -> None:
    """Two sentences that the engine speaks are heard by the engine and by the baseline."""
    plan = Plan(
        settings=settings,
        folder=None,
        json_file=path,
        languages=["en"],
        limit=2,
        nonspeech=False,
    )
    lines: list[str] = []
    report = await run(plan, lines.append)
    assert len(lines) == 2
    assert read(path, plan.about).rows
    assert json.loads(path.read_text())["languages"]["en"]["systems"].keys() == set(SYSTEMS)
    assert_plausible(report)


def assert_plausible(report: Report) -> None:
    systems = report.languages["en"].systems
    for name in (OURS, BASELINE, NATIVE, REFERENCE):
        system = systems[name]
        assert system.clips == 2
        # Clear synthetic speech: more than every third word wrong means that it was cut or mixed.
        assert system.wer is not None and system.wer < 34, (name, system)
        assert system.missed == system.silent == system.looping == []
    ours, baseline = systems[OURS], systems[BASELINE]
    assert ours.delay_ms.count == ours.final_ms.count == baseline.delay_ms.count == 2
    # No transcript can come before its VAD has heard the silence that it waits for.
    assert ours.delay_ms.p50 is not None and ours.delay_ms.p50 > 150
    assert baseline.delay_ms.p50 is not None and baseline.delay_ms.p50 > 450
    assert ours.final_ms.p50 is not None and 0 < ours.final_ms.p50 < ours.delay_ms.p50
    assert baseline.final_ms.count == 0
    assert ours.engine_per_second is not None and ours.cpu_per_second is not None
    assert 0.01 < ours.engine_per_second < ours.cpu_per_second < 4
    assert report.hit_rate is not None
    assert sum(report.speculation.values()) >= 2
    assert report.megabytes["engine"] > 100
    assert report.megabytes["baseline"] > 100
    assert {target.name for target in report.targets} >= {"flush to final, p50, ms"}
