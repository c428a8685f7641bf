import io
import json

import pytest
from rich.console import Console

from agent.logs import json_line
from agent.readiness import Component
from agent.up.board import Board, JsonBoard, LiveBoard
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


def test_a_terminal_shows_services_parts_bars_and_bytes() -> None:
    output = io.StringIO()
    board = LiveBoard(Console(file=output, force_terminal=True, width=80))
    with board:
        board.show("engine", downloading(250))
        board.show("web", Report(Component("ready")))
    shown = output.getvalue()
    assert "━━━━" in shown
    assert "250 of 1000 MB (25 %)" in shown
    for name in ("engine", "whisper", "kokoro", "web"):
        assert name in shown


def test_a_terminal_keeps_one_line_per_service_and_the_address_below_the_log() -> None:
    output = io.StringIO()
    board = LiveBoard(Console(file=output, force_terminal=True, width=80))
    with board:
        ready = Component("ready")
        board.show("engine", Report(ready, {"whisper": ready, "kokoro": ready}))
        board.announce("Eloquence is ready: http://127.0.0.1:8080")
        board.line("worker", "a call")
        last = output.getvalue().rpartition("a call")[2]
        assert "engine" in last
        assert "http://127.0.0.1:8080" in last
        assert "whisper" not in last


def test_json_has_one_object_per_line_and_passes_on_what_is_one_already() -> None:
    output = io.StringIO()
    board = JsonBoard(Console(file=output, width=40))
    of_a_child = json_line("worker", "registered " + "x" * 100, "WARNING", {"load": 0.5})
    with board:
        board.show("engine", Report(Component("loading")))
        board.line("worker", of_a_child)
        board.line("llm", '{"not": "ours"}')
        board.complain("It broke.")
        board.announce("Eloquence is ready: http://127.0.0.1:8080")
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert output.getvalue().splitlines()[1] == of_a_child
    assert all(list(line) == ["time", "level", "process", "message", "fields"] for line in lines)
    assert [
        (line["process"], line["level"], line["message"]) for line in lines[:1] + lines[2:]
    ] == [
        ("engine", "INFO", "[loading]"),
        ("llm", "INFO", '{"not": "ours"}'),
        ("up", "ERROR", "It broke."),
        ("up", "INFO", "Eloquence is ready: http://127.0.0.1:8080"),
    ]
