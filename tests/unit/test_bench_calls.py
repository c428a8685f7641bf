import os
from pathlib import Path
from typing import ClassVar

import pytest

from agent.bench.corpus import Clip
from agent.bench.engine import Engine
from agent.bench.machine import Usage
from agent.bench.stt import calls
from agent.bench.stt.calls import CLIPS_PER_CALL, place_calls
from agent.bench.stt.play import Hearing
from agent.bench.stt.scene import Scene
from agent.errors import UserError
from tests.support.bench import FakeOurs, hearing, spoken

pytestmark = pytest.mark.unit


class FakeBaseline:
    """Answers two seconds after the end of speech."""

    running: "ClassVar[list[FakeBaseline]]"
    fails = False

    def __init__(self, model: Path) -> None:
        self.pid = os.getpid()
        self.clips: list[str] = []

    async def start(self) -> None:
        self.running.append(self)

    async def hear(self, clip: Clip, system: str) -> Hearing:
        if self.fails:
            raise UserError("The baseline's process ended; its last words are above.")
        assert system == "silero"
        self.clips.append(clip.name)
        return hearing("hello there", 0.6 + 0.8 + 2.0)

    async def aclose(self) -> None:
        self.running.remove(self)


@pytest.fixture
def baselines(monkeypatch: pytest.MonkeyPatch) -> type[FakeBaseline]:
    class Baseline(FakeBaseline):
        running: ClassVar[list[FakeBaseline]] = []

    monkeypatch.setattr(calls, "BaselineProcess", Baseline)
    monkeypatch.setattr(calls, "_STAGGER_SECONDS", 0.0)
    return Baseline


async def test_all_callers_are_heard_by_both(tmp_path: Path, baselines: type[FakeBaseline]) -> None:
    clips = [spoken(tmp_path, f"en_{number}", "hello there") for number in range(4)]
    engine = Engine("unix:/nowhere", Usage(os.getpid()))
    log: list[str] = []
    outcome = await place_calls(3, clips, engine, FakeOurs(log, lambda *_: []), tmp_path)
    # One call alone comes first, to know what it takes.
    assert len(log) == (1 + 3) * CLIPS_PER_CALL
    assert outcome.calls == 3
    assert outcome.delay_ms.count == outcome.baseline_delay_ms.count == 3 * CLIPS_PER_CALL
    assert outcome.delay_ms.p95 == pytest.approx(500, abs=30)
    assert outcome.delay_ratio == pytest.approx(0.25, abs=0.03)
    assert outcome.longest_wait_ms == [pytest.approx(100)] * 3
    assert outcome.starved == 0
    assert outcome.megabytes_one is not None and outcome.megabytes_all is not None
    assert outcome.megabytes_all >= outcome.megabytes_one > 1
    assert baselines.running == []


async def test_a_call_without_an_answer_is_starved(
    tmp_path: Path, baselines: type[FakeBaseline], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [spoken(tmp_path, "en_0", "hello there")]
    ours = FakeOurs([], lambda *_: [])
    heard = iter([hearing("hello", 2.0)] * 8 + [Hearing(asked=[1.0], vad_ends=1)] * 2)

    async def hear(scene: Scene, language: str) -> Hearing:
        return next(heard)

    monkeypatch.setattr(ours, "hear", hear)
    outcome = await place_calls(2, clips, Engine("unix:/nowhere", None), ours, tmp_path)
    assert outcome.starved >= 1
    assert outcome.megabytes_one is outcome.megabytes_all is None


async def test_a_failure_leaves_no_process_behind(
    tmp_path: Path, baselines: type[FakeBaseline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "fails", True)
    clips = [spoken(tmp_path, "en_0", "hello there")]
    with pytest.raises(UserError, match="process ended"):
        await place_calls(
            2, clips, Engine("unix:/nowhere", None), FakeOurs([], lambda *_: []), tmp_path
        )
    assert baselines.running == []
