"""What is shown of the LiveKit server's log."""

import pytest

from agent.up.server_lines import quiet, tidy

pytestmark = pytest.mark.unit

START = "2026-01-01T00:00:00.000Z\tERROR\tlivekit\trtc/room.go:1\tcould not restart"


def test_rooms_and_participants_are_left_out() -> None:
    fields = '{"room": "call-1", "participant": "Ada", "participantIdentity": "Ada", "tries": 3}'
    assert tidy(f"{START}\t{fields}") == f'{START}\t{{"tries": 3}}'
    assert tidy(f'{START}\t{{"room": "call-1"}}') == START


@pytest.mark.parametrize("line", ["plain", START, "starting {x}"])
def test_lines_without_fields_stay_as_they_are(line: str) -> None:
    assert tidy(line) == line


def test_fields_that_cannot_be_read_are_left_out() -> None:
    assert tidy(f'{START}\t{{"room": "call-1"') == START


def test_only_warnings_and_worse_are_worth_showing() -> None:
    assert quiet(START) == START
    assert quiet(START.replace("ERROR", "INFO")) is None
