import json
import tomllib
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from livekit import rtc

from agent.bench.bootstrap import ratio_of_medians
from agent.bench.voice.figures import BARE, OURS, Costs, System, VoiceTurn, compare
from agent.bench.voice.report import Report, render
from agent.bench.voice.run import turns_of
from agent.bench.voice.script import Line, join, take_clips
from agent.caller.onset import OnsetConfig, find_speech, frame_levels
from agent.caller.report import CallReport, Turn
from agent.caller.script import load_script
from agent.caller.tape import Recording
from agent.errors import UserError
from tests.support.calls import write_wav
from tests.support.speech import resample

pytestmark = pytest.mark.unit

ABOUT = {"language": "en", "calls": 1}


def turn(line: str, latency_ms: float | None, *, cut_off: bool = False) -> VoiceTurn:
    return VoiceTurn(
        line=line,
        hesitates=cut_off,
        caller=0,
        latency_ms=latency_ms,
        cut_off=cut_off,
        asked="What?",
        answered="That.",
    )


def tone(seconds: float, rate: int) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * 220 * times)).astype(np.int16)


def test_a_system_is_summed_up() -> None:
    turns = [turn("a", 800.0), turn("b", None), turn("c", 1000.0, cut_off=True)]
    costs = [
        Costs(seconds=9, cpu_seconds={"engine": 3.0}, megabytes=90),
        Costs(seconds=9, cpu_seconds={"engine": 1.5, "llm": 6.0}, megabytes=120),
    ]
    system = System(turns, costs)
    assert (system.latency.count, system.latency.p50) == (2, 900)
    assert (system.missed, system.cut_offs) == (1, 1)
    assert system.cut_off_share == pytest.approx(1 / 3)
    assert system.cpu_per_turn == pytest.approx({"engine": 1.5, "llm": 2.0})
    assert system.megabytes_per_call == 120


def test_systems_are_compared_line_by_line() -> None:
    ours = System([turn("a", 500.0), turn("b", 600.0), turn("c", 700.0), turn("d", None)])
    bare = System([turn("c", 1400.0), turn("a", 1000.0), turn("b", None), turn("d", 100.0)])
    ratio = compare(ours, bare)
    assert ratio
    assert ratio.value == ratio.low == ratio.high == pytest.approx(0.5)
    assert compare(System([turn("a", None)]), bare) is None


def test_the_interval_of_a_ratio_holds_the_ratio() -> None:
    random = np.random.default_rng(1)
    baseline = random.normal(2000, 200, 40)
    ratio = ratio_of_medians(list(baseline * random.normal(0.5, 0.1, 40)), list(baseline))
    assert ratio
    assert ratio.low < ratio.value < ratio.high
    assert ratio.value == pytest.approx(0.5, abs=0.06)
    assert ratio_of_medians([], []) is None


def test_goals_are_held_against_the_figures(tmp_path: Path) -> None:
    ours = System([turn("a", 800.0), turn("b", 1300.0, cut_off=True)])
    report = Report(ABOUT, {OURS: ours, BARE: System([turn("a", 2000.0), turn("b", 2600.0)])})
    met = {target.name: target.met for target in report.targets}
    assert met == {
        "voice to voice, p50, ms": False,
        "voice to voice, p95, ms": False,
        "false cut-offs, %": False,
        "missed turns, %": True,
        "voice to voice, p50, ours / bare agent": True,
    }
    path = tmp_path / "out.json"
    report.write(path)
    written = json.loads(path.read_text())
    assert written["systems"]["ours"]["cut_offs"] == 1
    assert written["ratio"]["value"] == pytest.approx(1050 / 2300, abs=0.001)
    with pytest.raises(UserError, match="Cannot write --json"):
        report.write(tmp_path / "missing" / "out.json")


def test_the_goals_of_one_call_are_not_those_of_several() -> None:
    report = Report({**ABOUT, "calls": 3}, {OURS: System([turn("a", 800.0)])})
    assert [target.name for target in report.targets] == ["false cut-offs, %", "missed turns, %"]


def test_what_went_wrong_is_printed() -> None:
    report = Report(ABOUT, {OURS: System([turn("a", 800.0)], failures=["The agent left."])}, 0.5)
    printed = [part for part in render(report) if isinstance(part, str)]
    assert any("ended early: The agent left." in line for line in printed)
    assert any("50 % of this machine" in line for line in printed)


def test_turns_that_a_broken_call_did_not_come_to_are_missed() -> None:
    lines = [Line("a", Path("a.wav"), hesitates=False), Line("b", Path("b.wav"), hesitates=True)]
    spoken = Turn(
        number=1,
        user_start=1.0,
        user_end=2.0,
        agent_start=3.0,
        agent_end=4.0,
        latency_ms=1000.0,
        talk_over_ms=0.0,
        barge_in_stop_ms=None,
        cut_off=True,
        user_transcript="What?",
        agent_transcript="That.",
        answer_audio=np.empty(0, np.int16),
    )
    sound = Recording(np.empty(0, np.int16), 0.0)
    report = CallReport(
        room="r",
        origin=0.0,
        error="The agent left.",
        greeting=None,
        turns=[spoken],
        microphone_underruns=0,
        longest_receive_gap_ms=10.0,
        agent=sound,
        caller=sound,
    )
    first, second = turns_of(report, lines, caller=2)
    assert (first.line, first.latency_ms, first.cut_off, first.caller) == ("a", 1000.0, True, 2)
    assert (second.line, second.latency_ms, second.hesitates) == ("b", None, True)


def test_every_language_has_questions_with_and_without_pauses() -> None:
    text = resources.files("agent.bench.voice").joinpath("questions.toml").read_text("utf-8")
    questions = tomllib.loads(text)
    assert questions.keys() == {"en", "fr"}
    for lines in questions.values():
        assert len(set(lines)) == len(lines) >= 12
        assert 4 <= sum("|" in line for line in lines) < len(lines) / 2


def test_a_pause_between_parts_is_as_long_as_it_is_meant_to_be() -> None:
    rate = 24_000
    quiet = np.zeros(rate // 5, np.int16)
    parts = [np.concatenate([quiet, tone(0.8, rate), quiet]) for _ in range(2)]
    frames = [rtc.AudioFrame(part.tobytes(), rate, 1, len(part)) for part in parts]
    joined = np.frombuffer(join(frames, "What is, um, | seven?").data, np.int16)
    again = np.frombuffer(join(frames, "What is, um, | seven?").data, np.int16)
    assert np.array_equal(joined, again)
    first, second = find_speech(frame_levels(resample(joined, rate, 48_000)), OnsetConfig())
    assert 0.4 - 0.02 <= (second.start - first.end) / 100 <= 0.9 + 0.02
    alone = np.frombuffer(join(frames[:1], "What is seven?").data, np.int16)
    assert np.array_equal(alone, parts[0])


def test_clips_of_a_corpus_are_cut_to_their_speech_and_brought_to_one_level(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    folder.mkdir()
    quiet = np.zeros(48_000, np.int16)
    write_wav(source / "a.wav", np.concatenate([quiet, tone(1.0, 48_000) // 40, quiet]))
    (source / "clips.tsv").write_text("file\tlang\tkind\ttext\na.wav\ten\tpause\tHum.\n")
    [line] = take_clips(source, folder, "en")
    assert (line.name, line.hesitates) == ("a", True)
    [utterance] = load_script([line.wav], OnsetConfig())
    assert len(utterance.pcm) / 48_000 == pytest.approx(1.1, abs=0.05)
    assert np.abs(utterance.pcm).max() > 20_000
    with pytest.raises(UserError, match="holds no clips in fr"):
        take_clips(source, folder, "fr")
