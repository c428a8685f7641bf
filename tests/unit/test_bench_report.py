import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from agent.bench import report
from agent.bench.report import Report
from agent.bench.stt import tables
from agent.bench.stt.calls import Calls
from agent.bench.stt.long import Long
from agent.bench.stt.phantoms import Phantoms
from agent.bench.stt.rows import BASELINE, NATIVE, OURS, REFERENCE, Row
from agent.bench.stt.summary import summarize
from agent.caller.report import Latency
from agent.errors import UserError

pytestmark = pytest.mark.unit

ABOUT = {"corpus": "speech", "beam": 5}


def row(clip: str, system: str, **changes: object) -> Row:
    fields: dict[str, object] = {
        "clip": clip,
        "language": clip[:2],
        "system": system,
        "text": "turn on the light",
        "words": 10,
        "errors": 1,
        "looping": False,
        "vad_ends": 1,
        "delay_ms": 400.0,
        "final_ms": 100.0,
        "interim_ms": 600.0,
        "interim_words": 4,
        "interim_kept": 3,
        "played": 4.0,
        "cpu_seconds": 1.0,
        "engine_seconds": 0.5,
        "late_ms": 1.0,
        "bystanders": 0.125,
    }
    return Row.from_json({**fields, **changes})


def rows() -> list[Row]:
    return [
        row("en_a", OURS, errors=2),
        row("en_a", BASELINE, delay_ms=1600.0, final_ms=None, interim_ms=None),
        row("en_a", NATIVE, delay_ms=800.0),
        row("en_a", REFERENCE, delay_ms=None, vad_ends=0),
        row("en_b", OURS, delay_ms=600.0, interim_ms=None),
        row("en_b", BASELINE, delay_ms=1400.0),
        row("fr_a", OURS),
    ]


def full_report() -> Report:
    return Report(
        about=dict(ABOUT),
        rows=rows(),
        speculation={"used": 3.0, "missed": 1.0, "wasted": 2.0},
        megabytes={"engine": 800.0},
        phantoms=Phantoms(66, {"hum-1": ["you"]}),
        long={"en": Long(600.0, 1000, 5.0, 5.0, 0, 7.0, 30, {"turns": "hello"})},
        calls=Calls(
            calls=8,
            clips=3,
            delay_ms=Latency.of([500.0]),
            baseline_delay_ms=Latency.of([5000.0]),
            delay_ratio=0.1,
            final_ms=Latency.of([200.0]),
            longest_wait_ms=[200.0, None],
            starved=0,
            megabytes_one=800.0,
            megabytes_all=870.0,
            baseline_megabytes=3000.0,
        ),
    )


def test_a_language_is_summed_up_over_its_words() -> None:
    language = summarize([entry for entry in rows() if entry.language == "en"])
    ours = language.systems[OURS]
    assert ours.clips == 2
    assert ours.wer == pytest.approx(15)
    assert ours.delay_ms.p50 == pytest.approx(500)
    assert ours.interim_ms.count == 1
    assert ours.without_interim == 1
    assert ours.interim_stability == pytest.approx(0.75)
    assert ours.cpu_per_second == pytest.approx(0.25)
    assert ours.engine_per_second == pytest.approx(0.125)
    assert language.delay_ratio == pytest.approx(500 / 1500)
    # Only one clip was heard by both.
    assert language.difference is not None
    assert language.difference.points == pytest.approx(10)


def test_clips_without_a_transcript_are_told_from_clips_that_the_vad_missed() -> None:
    nothing = {"text": "", "delay_ms": None, "final_ms": None}
    language = summarize(
        [
            row("en_a", OURS, **nothing),
            row("en_b", OURS, **nothing, vad_ends=0),
            row("en_c", OURS, looping=True),
        ]
    )
    ours = language.systems[OURS]
    assert (ours.silent, ours.missed, ours.looping) == (["en_a"], ["en_b"], ["en_c"])


def test_targets_are_met_or_not() -> None:
    met = {target.name: target.met for target in full_report().targets}
    assert met == {
        "flush to final, p50, ms": True,
        "flush to final, p95, ms": True,
        "end of speech to final, p50, ours / baseline": True,
        "start of speech to first interim, p50, ms": True,
        "looping clips": True,
        "clips with speech but no transcript": True,
        "en: WER, ours - full context": False,
        "en: its upper bound": False,
        "phantoms in 66 sounds": False,
        "en: long stream, words unlike its parts": True,
        "en: unbroken, WER above its parts": False,
        "8 calls: delay, p95, ours / baseline": True,
        "8 calls: memory above one call, MB": False,
        "8 calls: starved": True,
    }


def test_what_was_not_measured_is_no_target() -> None:
    assert Report(dict(ABOUT)).targets == []
    slow = Report(dict(ABOUT), rows=[row("en_a", OURS, delay_ms=None, final_ms=None)])
    assert not [target for target in slow.targets if "final" in target.name]


def test_a_report_can_be_read_and_continued(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    full_report().write(path)
    again = report.read(path, dict(ABOUT))
    assert again == full_report()
    assert json.loads(path.read_text())["speculation"]["hit_rate"] == 0.75
    assert json.loads(path.read_text())["languages"]["all"]["systems"][OURS]["clips"] == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_of_another_kind_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    with pytest.raises(UserError, match="Cannot read --json"):
        report.read(path, dict(ABOUT))
    path.write_text("{}")
    with pytest.raises(UserError, match="--resume needs a report of this version"):
        report.read(path, dict(ABOUT))
    full_report().write(path)
    with pytest.raises(UserError, match=r"measured with corpus speech, beam 5, .* beam 1"):
        report.read(path, {**ABOUT, "beam": 1})


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot write --json"):
        full_report().write(tmp_path / "missing" / "out.json")


@pytest.mark.parametrize(("bystanders", "warned"), [(0.125, False), (0.75, True)])
def test_a_busy_machine_is_pointed_out(bystanders: float, warned: bool) -> None:
    busy = Report(dict(ABOUT), rows=[row("en_a", OURS), row("en_b", OURS, bystanders=bystanders)])
    lines = [part for part in tables.render(busy) if isinstance(part, str)]
    assert any("75 % of this machine" in line for line in lines) is warned


def test_the_tables_hold_every_figure() -> None:
    console = Console(file=StringIO(), width=120)
    for part in tables.render(full_report()):
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in (
        "baseline",
        "500 / 590",
        "15.00",
        "hit rate 75 %",
        "hum-1: ['you']",
        "600 s as one stream",
        "8 calls",
        "200, -",
        "phantoms in 66 sounds",
        "NO",
    ):
        assert expected in text, expected
