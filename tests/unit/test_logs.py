"""Log lines for people and for programs: complete, one per record, nothing personal."""

import json
import logging
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from agent.logs import JsonFormatter, ReadableFormatter, json_line, parse_json_line

pytestmark = pytest.mark.unit

PERSONAL = {"lk.pii.text": "my card number", "room": "call-42", "participant": "Ada"}


def record(**attributes: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"levelname": "WARNING", **attributes})


@pytest.mark.parametrize("formatter", [ReadableFormatter(), JsonFormatter("worker")])
def test_neither_form_holds_anything_personal(formatter: logging.Formatter) -> None:
    line = formatter.format(record(msg="transcript received", delay=0.2, **PERSONAL))
    assert "transcript received" in line
    assert "0.2" in line
    for secret in ("card", "call-42", "Ada"):
        assert secret not in line


def test_a_json_line_has_time_level_process_message_and_fields() -> None:
    line = JsonFormatter("worker").format(record(msg="took %d ms", args=(5,), load=0.5))
    assert "\n" not in line
    parsed = json.loads(line)
    assert datetime.fromisoformat(parsed.pop("time")).utcoffset() is not None
    assert parsed == {
        "level": "WARNING",
        "process": "worker",
        "message": "took 5 ms",
        "fields": {"load": 0.5},
    }


def test_a_traceback_stays_on_the_line() -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        line = JsonFormatter("web").format(record(msg="failed", exc_info=sys.exc_info()))
    assert "\n" not in line
    assert "ValueError: odd" in json.loads(line)["fields"]["exception"]


def test_what_json_does_not_know_becomes_text() -> None:
    assert json.loads(json_line("up", "x", fields={"where": object}))["fields"]["where"]


@pytest.mark.parametrize("line", ["", "plain", "{broken", '{"time": 1}', "[1]"])
def test_foreign_lines_are_told_from_our_own(line: str) -> None:
    assert parse_json_line(line) is None
    assert parse_json_line(json_line("up", line)) is not None


@pytest.mark.parametrize("form", ["json", "readable"])
def test_the_setting_chooses_the_form(form: str) -> None:
    code = (
        "import logging; from agent import logs; from agent.settings import Settings\n"
        f"logs.setup(Settings(log_format={form!r}), 'web'); logging.warning('hello')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "hello" in done.stderr
    assert (parse_json_line(done.stderr) is not None) is (form == "json")
