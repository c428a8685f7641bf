"""The catalogue of failures: whole, worded as promised, and documented."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from livekit.plugins.local.failures import CATALOGUE, GROUPS, Code, explain
from livekit.plugins.local.models.errors import PRECEDENCE, Refused, unavailable

from agent.cli.errors_doc import markdown

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
WORDING = {"explain", "engine_error", "model_error"}


def test_every_code_is_worded_once() -> None:
    assert list(CATALOGUE) == list(get_args(Code))
    assert sum(len(group) for group in GROUPS.values()) == len(CATALOGUE)


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_failure_is_one_sentence_that_says_what_to_do(code: Code) -> None:
    failure = CATALOGUE[code]
    diagnosis = explain(code, **dict.fromkeys(failure.fields, "something"))
    assert diagnosis.message == f"{diagnosis.sentence}; {diagnosis.remedy}."
    assert "{" not in diagnosis.message
    for part in (failure.sentence, failure.remedy):
        assert part.strip(" .") == part
    assert failure.remedy.split()[0].islower(), "an imperative clause"


def uses() -> Iterator[tuple[str, Code, set[str | None]]]:
    """Every place in the sources that words a failure: where, which, with which names."""
    for folder in ("agent", "plugins/livekit-plugins-local/livekit"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                if node.func.id in WORDING and isinstance(node.args[0], ast.Constant):
                    code: Code = node.args[0].value  # type: ignore[assignment]
                    names = {keyword.arg for keyword in node.keywords}
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", code, names


def test_whoever_words_a_failure_says_all_that_it_wants() -> None:
    found = list(uses())
    assert len(found) > 10
    for where, code, names in found:
        # A mapping (`**`) is not seen through.
        assert None in names or names == CATALOGUE[code].fields, where


@pytest.mark.parametrize("code", PRECEDENCE)
def test_every_refusal_of_a_source_can_be_worded(code: Code) -> None:
    more = CATALOGUE[code].fields - {"model", "reasons"}
    refusal = Refused(code, "it will not", dict.fromkeys(more, "something"))
    error = unavailable("some-model", [("a", refusal), ("b", Refused("not_found", "no"))])
    assert error.code == code
    assert error.message.endswith(f"{error.remedy}.")


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "errors.md").read_text() == markdown(), "run `eloquence errors`"
