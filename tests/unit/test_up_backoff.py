"""How long to wait before a service is started again."""

import pytest

from agent.up.backoff import Backoff

pytestmark = pytest.mark.unit


def test_waits_double_up_to_half_a_minute() -> None:
    backoff = Backoff()
    assert [backoff.pause(deaths) for deaths in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.pause(1_000_000) == 30
