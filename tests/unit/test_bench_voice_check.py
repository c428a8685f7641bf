import json
from pathlib import Path

import pytest

from agent.bench.voice.check import check
from agent.bench.voice.figures import BARE, OURS, System
from agent.bench.voice.report import Report
from agent.errors import UserError
from tests.unit.test_bench_voice import turn

pytestmark = pytest.mark.unit


def run(ours: float) -> Report:
    systems = {OURS: System([turn("a", ours)]), BARE: System([turn("a", 1000.0)])}
    return Report({"language": "en", "calls": 1}, systems)


def test_a_ratio_within_the_band_is_no_regression(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    run(400.0).write(reference)
    assert "No regression: 0.49" in check(run(490.0), reference)
    with pytest.raises(UserError, match=r"0\.51 of the bare agent's p50, 0\.40 in the reference"):
        check(run(510.0), reference)


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    reference = tmp_path / "reference.json"
    with pytest.raises(UserError, match="Cannot read --check"):
        check(run(400.0), reference)
    reference.write_text(json.dumps({"ratio": None}))
    with pytest.raises(UserError, match="is none"):
        check(run(400.0), reference)
    run(400.0).write(reference)
    alone = Report({"language": "en", "calls": 1}, {OURS: System([turn("a", 500.0)])})
    with pytest.raises(UserError, match="--baseline"):
        check(alone, reference)
