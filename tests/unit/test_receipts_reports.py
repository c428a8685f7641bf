"""What callers report: their clocks are read, and nonsense costs them nothing but their times."""

import json
import random

import pytest

from agent.receipts.clock import ClockOffset
from agent.receipts.observer import Turn
from agent.receipts.reports import Reports

pytestmark = pytest.mark.unit

AHEAD = 5000.0
"""Seconds by which the caller's clock is ahead of ours."""


def learned(clock: ClockOffset, at: float, there: float, back: float, ahead: float = AHEAD) -> bool:
    """Ask at a time; the question travels ``there`` seconds, the answer ``back``."""
    received = at + there + ahead
    return clock.learn(at, received, received + 0.001, at + there + 0.001 + back)


def test_the_shortest_journey_tells_the_difference_best() -> None:
    clock, chance = ClockOffset(), random.Random(1)
    for number in range(20):
        learned(clock, number, chance.uniform(0.002, 0.2), chance.uniform(0.002, 0.2))
    learned(clock, 20, 0.001, 0.001)
    learned(clock, 21, 0.3, 0.002)
    place = clock.ours(AHEAD + 30)
    assert place
    at, error = place
    assert at == pytest.approx(30, abs=0.001)
    assert error == pytest.approx(0.001)


def test_a_lopsided_journey_is_within_the_error_that_is_told() -> None:
    clock = ClockOffset()
    learned(clock, 1, 0.080, 0.002)
    place = clock.ours(AHEAD + 30)
    assert place
    assert abs(place[0] - 30) <= place[1]


def test_a_clock_that_jumps_is_learned_anew() -> None:
    clock = ClockOffset()
    for number in range(5):
        learned(clock, number, 0.002, 0.002)
    learned(clock, 6, 0.010, 0.010, ahead=AHEAD - 3600)
    place = clock.ours(AHEAD - 3600 + 7)
    assert place
    assert place[0] == pytest.approx(7, abs=0.011)


@pytest.mark.parametrize(
    "times",
    [
        (0.0, float("nan"), 1.0, 2.0),
        (0.0, 1.0, 0.5, 2.0),  # answered before it was asked
        (0.0, 5.0, 9.0, 2.0),  # kept for longer than all took
        (0.0, 5.0, 5.0, 60.0),  # too far away
        (0.0, float("inf"), float("inf"), 1.0),
    ],
)
def test_answers_of_a_clock_that_cannot_be_are_no_answers(
    times: tuple[float, float, float, float],
) -> None:
    clock = ClockOffset()
    assert not clock.learn(*times)
    assert clock.ours(0.0) is None


def turn() -> Turn:
    """One whose speech ended at 100 s and whose first packet left at 101 s."""
    heard = Turn(
        number=1,
        ended=100.0,
        voice_ended=100.3,
        understood=100.4,
        decided=100.5,
        message="m",
        language="en",
    )
    heard.packet = 101.0
    return heard


def reports() -> Reports:
    made = Reports()
    learned(made.clock, 99.0, 0.002, 0.002)
    return made


def told(**times: float) -> bytes:
    return json.dumps({name: (at + AHEAD) * 1000 for name, at in times.items()}).encode()


def test_a_caller_says_when_it_stopped_and_when_it_heard() -> None:
    made, waiting = reports(), turn()
    assert made.take(told(stopped=97.0), None, 97.3) == (None, None)
    assert made.take(told(stopped=99.95), None, 100.3) == (None, None)
    heard, ignored = made.take(told(heard=101.08), waiting, 101.2)
    assert ignored is None
    assert heard
    assert heard.at == pytest.approx(101.08)
    stopped = made.stopped(waiting)
    assert stopped
    assert stopped.at == pytest.approx(99.95)


def test_what_is_heard_while_nothing_is_awaited_is_no_news() -> None:
    assert reports().take(told(heard=98.0), None, 98.1) == (None, None)


@pytest.mark.parametrize(
    ("data", "now", "reason"),
    [
        (b"", 101.2, "malformed"),
        (b"{", 101.2, "malformed"),
        (b"\xff\xfe", 101.2, "malformed"),
        (b"[" * 200, 101.2, "malformed"),
        (b"{}", 101.2, "malformed"),
        (b"null", 101.2, "malformed"),
        (b'{"heard": "now"}', 101.2, "malformed"),
        (b'{"heard": true}', 101.2, "malformed"),
        (b'{"heard": NaN}', 101.2, "malformed"),
        (b'{"heard": 1e999}', 101.2, "malformed"),
        (b'{"heard": 1, "name": "Ann"}', 101.2, "malformed"),
        (b'{"heard": 1' + b" " * 300 + b"}", 101.2, "malformed"),
        (told(heard=100.5), 101.2, "implausible"),  # before it was sent
        (told(heard=109.0), 101.2, "implausible"),  # not yet
        (told(heard=-AHEAD), 101.2, "implausible"),
        (told(heard=108.0), 108.1, "late"),
    ],
)
def test_nonsense_is_ignored_for_a_reason(data: bytes, now: float, reason: str) -> None:
    assert reports().take(data, turn(), now) == (None, reason)


def test_without_the_callers_clock_its_times_mean_nothing() -> None:
    assert Reports().take(told(heard=101.1), turn(), 101.2) == (None, "no_clock")


def test_a_flood_of_reports_is_cut_off_and_what_follows_it_is_heard() -> None:
    made = reports()
    flood = [made.take(told(heard=90.0), None, 101.2)[1] for _ in range(10_000)]
    assert flood.count("too_many") > 9_900
    heard, ignored = made.take(told(heard=102.1), turn(), 104.0)
    assert (heard is not None, ignored) == (True, None)
