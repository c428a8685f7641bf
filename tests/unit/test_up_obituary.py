"""Why a process ended, from its last line and its status."""

import json
import subprocess
import sys

import pytest

from agent.logs import json_line
from agent.up.obituary import final_sentence, obituary

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("last_line", "status", "sentence"),
    [
        ("no such device.", 1, "llm stopped (no such device); check LLM_MODEL."),
        (json_line("llm", "no such device", "ERROR"), 1, "llm stopped (no such device); check LLM"),
        ("Serving it.", -9, "llm stopped (signal 9); check LLM_MODEL."),
        ("", 3, "llm stopped (status 3); check LLM_MODEL."),
        ("eloquence: DEVICE is odd.", 1, "llm stopped: DEVICE is odd."),
    ],
)
def test_a_death_is_one_sentence(last_line: str, status: int, sentence: str) -> None:
    assert obituary("llm", "check LLM_MODEL", last_line, status).startswith(sentence)


@pytest.mark.parametrize("form", ["json", "readable"])
def test_what_the_command_line_says_of_a_bad_setting_is_recognised(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agent", "status"],
        env={"LOG_FORMAT": form, "LLM_PORT": "many"},
        capture_output=True,
        text=True,
    )
    (line,) = done.stderr.splitlines()
    assert (final_sentence(line) or "").startswith("LLM_PORT is 'many'")
    if form == "json":
        assert json.loads(line)["level"] == "CRITICAL"


@pytest.mark.parametrize("line", ["", "a word", json_line("worker", "failed", "CRITICAL")])
def test_other_last_lines_are_no_sentence_of_ours(line: str) -> None:
    assert final_sentence(line) is None
