"""When a voice engine is asked, and when it is left alone."""

import pytest
from livekit.plugins.local.engine.tts.breaker import Breaker

pytestmark = pytest.mark.unit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_it_opens_on_the_third_failure_within_half_a_minute(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    assert [breaker.failed() for _ in range(3)] == [False, False, True]
    assert breaker.state == "open"
    assert not breaker.failed()


def test_failures_that_lie_far_apart_do_not_count_together(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    for _ in range(10):
        assert not breaker.failed()
        clock.now += 16.0
    assert breaker.state == "closed"


def test_success_forgets_failures(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    for _ in range(4):
        breaker.failed()
        breaker.failed()
        breaker.worked()
    assert breaker.state == "closed"


def test_probes_wait_ever_longer_until_one_succeeds(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    breaker.trip()
    delays: list[float] = []
    states: list[str] = []
    for _ in range(10):
        delays.append(breaker.delay)
        breaker.probe()
        states.append(breaker.state)
        breaker.probed(works=False)
        states.append(breaker.state)
    assert states == ["half-open", "open"] * 10
    assert delays == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    breaker.probe()
    breaker.probed(works=True)
    assert (breaker.state, breaker.delay) == ("closed", 300)


def test_only_what_somebody_heard_ends_the_long_pauses(clock: Clock) -> None:
    breaker = Breaker(clock=clock)
    for delay in (2, 4, 8):
        breaker.trip()
        assert breaker.delay == delay
        breaker.probe()
        breaker.probed(works=True)
    breaker.worked()
    assert breaker.delay == 2
