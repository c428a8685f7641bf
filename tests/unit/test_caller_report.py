import json
from dataclasses import replace

import numpy as np
import pytest

from agent.caller.report import CallReport, Greeting, Latency, Turn
from agent.caller.tape import Recording

pytestmark = pytest.mark.unit

ANSWERED = Turn(
    number=1,
    user_start=2.0,
    user_end=3.5,
    agent_start=4.25,
    agent_end=6.0,
    latency_ms=750.0004,
    talk_over_ms=0.0,
    barge_in_stop_ms=None,
    cut_off=False,
    user_transcript="Où est Zoé ?",
    agent_transcript="À Paris.",
    answer_audio=np.ones(10, np.int16),
)
UNANSWERED = replace(
    ANSWERED,
    number=2,
    agent_start=None,
    agent_end=None,
    latency_ms=None,
    talk_over_ms=120.0,
    barge_in_stop_ms=410.0,
    cut_off=True,
    agent_transcript="",
)
EMPTY = Recording(np.empty(0, np.int16), 0.0)
REPORT = CallReport(
    room="call-1",
    origin=1000.0,
    error=None,
    greeting=Greeting(0.5, 1.5, "Bonjour."),
    turns=[ANSWERED],
    microphone_underruns=0,
    longest_receive_gap_ms=12.34567,
    agent=EMPTY,
    caller=EMPTY,
)


def test_percentiles_are_interpolated() -> None:
    values = [float(value) for value in range(100, 1100, 100)]
    latency = Latency.of(values[::-1])
    assert latency.count == 10
    assert latency.p50 == pytest.approx(550)
    assert latency.p90 == pytest.approx(910)
    assert latency.p95 == pytest.approx(955)
    assert latency.max == 1000


def test_one_value_is_every_percentile() -> None:
    assert Latency.of([700.0]) == Latency(1, 700.0, 700.0, 700.0, 700.0)


def test_no_value_has_no_percentile() -> None:
    assert Latency.of([]) == Latency(0, None, None, None, None)


def test_turns_without_an_answer_do_not_count() -> None:
    report = replace(REPORT, turns=[ANSWERED, UNANSWERED])
    assert report.latency.count == 1
    assert report.latency.max == pytest.approx(750)


def test_the_json_has_the_documented_form() -> None:
    report = replace(REPORT, turns=[ANSWERED, UNANSWERED], error="Turn 2 got no answer.")
    assert json.loads(json.dumps(report.to_json())) == {
        "room": "call-1",
        "error": "Turn 2 got no answer.",
        "greeting": {"start": 0.5, "end": 1.5, "transcript": "Bonjour."},
        "turns": [
            {
                "number": 1,
                "user_start": 2.0,
                "user_end": 3.5,
                "agent_start": 4.25,
                "agent_end": 6.0,
                "latency_ms": 750.0,
                "talk_over_ms": 0.0,
                "barge_in_stop_ms": None,
                "cut_off": False,
                "user_transcript": "Où est Zoé ?",
                "agent_transcript": "À Paris.",
                "receipt": None,
            },
            {
                "number": 2,
                "user_start": 2.0,
                "user_end": 3.5,
                "agent_start": None,
                "agent_end": None,
                "latency_ms": None,
                "talk_over_ms": 120.0,
                "barge_in_stop_ms": 410.0,
                "cut_off": True,
                "user_transcript": "Où est Zoé ?",
                "agent_transcript": "",
                "receipt": None,
            },
        ],
        "latency_ms": {"count": 1, "p50": 750.0, "p90": 750.0, "p95": 750.0, "max": 750.0},
        "instrument": {"microphone_underruns": 0, "longest_receive_gap_ms": 12.346},
    }


def test_the_text_shows_every_figure() -> None:
    text = replace(REPORT, turns=[ANSWERED, UNANSWERED]).render()
    assert text.splitlines() == [
        "greeting after 0.50 s: Bonjour.",
        "turn 1: latency 750 ms, answer of 1.75 s",
        "  caller: Où est Zoé ?",
        "  agent:  À Paris.",
        "turn 2: latency none, talk-over 120 ms, barge-in stop 410 ms, cut off",
        "  caller: Où est Zoé ?",
        "  agent:  (no transcript)",
        "latency over 1 turns: p50 750 ms, p90 750 ms, p95 750 ms, max 750 ms",
    ]


def test_the_text_warns_of_a_stalled_microphone() -> None:
    assert "warning" not in REPORT.render()
    assert "stalled 3 times" in replace(REPORT, microphone_underruns=3).render()


def test_a_call_without_turns_has_no_text() -> None:
    assert replace(REPORT, greeting=None, turns=[]).render() == ""
