import json
from pathlib import Path

import pytest

from agent.bench.tts.run import Plan, run
from agent.settings import Settings

pytestmark = pytest.mark.e2e


async def test_a_short_run_measures_everything(settings: Settings, tmp_path: Path) -> None:
    """The fast voice says a few sentences, and Whisper base hears them."""
    path = tmp_path / "out.json"
    plan = Plan(
        settings=settings,
        json_file=path,
        voices=(("en", "hibari/heart"),),
        rounds=2,
        pace=100.0,
        sentences=2,
        listener="whisper-base",
        calls=2,
        utterances=20,
    )
    lines: list[str] = []
    report = await run(plan, lines.append)
    assert json.loads(path.read_text()).keys() >= {"voices", "calls", "soak", "targets"}
    (each,) = report.voices
    assert each.cold_ms and each.warm_ms.count == 2 and each.cached_ms.count == 4
    # A phrase that is known comes sooner than one that must be spoken.
    assert each.cached_ms.p50 and each.warm_ms.p50 and each.cached_ms.p50 < each.warm_ms.p50
    assert each.reply_ratio is not None and each.reply_ratio < 1
    assert each.real_time is not None and 0 < each.real_time < 1
    assert each.megabytes is not None and each.megabytes > 100
    assert each.stand_ins == 0
    assert len(each.understood) == 2
    assert each.word_starts_ms.count > 5
    # Clear synthetic speech: more than every third word wrong means that it was cut or mixed.
    assert each.wer is not None and each.wer < 34
    # Half a second off would be another word.
    assert each.word_starts_ms.p50 is not None and each.word_starts_ms.p50 < 150
    assert [len(crowd.waits_ms) for crowd in report.crowds] == [2]
    assert {soak.utterances for soak in report.soaks.values()} == {20}
    assert any("20 utterances" in line for line in lines)
