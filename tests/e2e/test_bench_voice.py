import json
from pathlib import Path

import pytest

from agent.bench.voice.figures import OURS
from agent.bench.voice.report import render
from agent.bench.voice.run import Plan, run
from agent.settings import Settings
from tests.support.stack import Stack

pytestmark = pytest.mark.e2e


async def test_a_short_run_measures_a_running_stack(
    stack: Stack, settings: Settings, tmp_path: Path
) -> None:
    """A scripted caller asks two questions and is answered by the real models."""
    running = settings.model_copy(
        update={
            "engine_url": stack.env["ENGINE_URL"],
            "livekit_port": int(stack.env["LIVEKIT_PORT"]),
        }
    )
    path = tmp_path / "out.json"
    lines: list[str] = []
    plan = Plan(settings=running, turns=2, running=True, json_file=path, answer_seconds=90.0)
    report = await run(plan, lines.append)
    ours = report.systems[OURS]
    assert [turn.line for turn in ours.turns] == ["en_00", "en_01"]
    assert (ours.missed, ours.failures) == (0, [])
    assert "Paris" in ours.turns[0].answered
    assert ours.latency.p50 and ours.latency.p50 > 100
    # The receipts of the agent came with the turns.
    assert ours.stages.keys() >= {"vad", "stt", "llm", "tts"}
    assert sum(ours.cpu_per_turn.values()) > 0.1
    assert ours.megabytes_per_call is not None
    assert json.loads(path.read_text())["systems"].keys() == {OURS}
    assert any(isinstance(part, str) and "false cut-offs" in part for part in render(report))
    assert lines == ["ours: turns 1 to 2 of 2"]
