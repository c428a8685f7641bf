import io

import pytest
from rich.console import Console

from agent.readiness import Component
from agent.up.board import Board, LiveBoard
from agent.up.gates import Report

pytestmark = pytest.mark.unit


def plain() -> tuple[Board, io.StringIO]:
    output = io.StringIO()
    return Board(Console(file=output, width=40)), output


def downloading(done: int) -> Report:
    """Return the report of a download of 1 GB, ``done`` in MB."""
    part = Component("downloading", done=done * 1_000_000, total=1_000_000_000)
    return Report(part, {"whisper": part, "kokoro": Component("missing")})


def test_a_log_has_one_line_for_each_change_of_state() -> None:
    board, output = plain()
    for report in (Report(Component("starting")), Report(Component("ready"))):
        board.show("engine", report)
        board.show("engine", report)
    assert output.getvalue().splitlines() == [
        "engine  | [starting]",
        "engine  | [ready]",
    ]


def test_a_log_has_a_few_lines_for_each_download() -> None:
    board, output = plain()
    for done in range(0, 1001, 5):
        board.show("engine", downloading(done))
    lines = output.getvalue().splitlines()
    assert lines[:3] == [
        "engine  | [whisper: downloading 0 %]",
        "engine  | [kokoro: missing]",
        "engine  | [whisper: downloading 10 %]",
    ]
    assert len(lines) == 12


def test_lines_are_printed_as_they_are() -> None:
    board, output = plain()
    text = "[bold]:smile: " + "word " * 30 + "end"
    board.line("llm", text)
    board.say(text)
    assert output.getvalue().splitlines() == [f"llm     | {text}", text]


def test_a_terminal_shows_services_parts_and_bytes_until_all_is_ready() -> None:
    output = io.StringIO()
    board = LiveBoard(Console(file=output, force_terminal=True, width=80))
    with board:
        board.show("engine", downloading(250))
        board.show("web", Report(Component("ready")))
        board._live.refresh()
        shown = output.getvalue()
        assert "250 of 1000 MB (25 %)" in shown
        assert "whisper" in shown
        assert "kokoro" in shown
        assert "web" in shown
        board.announce("Eloquence is ready: http://127.0.0.1:8080")
        before = len(output.getvalue())
        board.show("engine", downloading(500))
        board.line("worker", "a call")
    assert "a call" in output.getvalue()[before:]
    assert "whisper" not in output.getvalue()[before:]
