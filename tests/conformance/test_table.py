"""`python -m tests.conformance` runs what it is asked to, and tells what came out."""

import io

import pytest
from rich.console import Console

from tests.conformance.__main__ import cases
from tests.conformance.kit import Outcome, PluginUnderTest, Rule
from tests.conformance.kit.rules import RULES
from tests.conformance.kit.runner import Result
from tests.conformance.plugins import PLUGINS
from tests.conformance.table import Results

pytestmark = pytest.mark.conformance


async def _check(_: object) -> None:
    """Never called here."""


def rule(name: str) -> Rule:
    return Rule(name, "tts", "It holds.", "Somebody notices.", _check)


def plugin(name: str) -> PluginUnderTest:
    return PluginUnderTest(name, "tts", str, PLUGINS[0].backend)


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        ("kept", False),
        ("expected", False),
        ("not claimed", False),
        ("broken", True),
        ("mended", True),
    ],
)
def test_what_is_unexpected_is_a_failure(result: Result, failed: bool) -> None:
    results = Results()
    results.add(rule("tts_a"), plugin("one"), Outcome("kept"))
    results.add(rule("tts_b"), plugin("one"), Outcome(result))
    assert results.failed is failed


def test_the_table_the_reasons_and_the_totals() -> None:
    results = Results()
    results.add(rule("tts_a"), plugin("one"), Outcome("kept"))
    results.add(rule("tts_a"), plugin("two"), Outcome("broken", "tts_a: It holds.\n  Seen: [not]"))
    results.add(rule("tts_b"), plugin("two"), Outcome("expected", "it is old"))
    output = io.StringIO()
    results.show(Console(file=output, width=100))
    lines = [line.split() for line in output.getvalue().splitlines()]
    assert ["│", "tts_a", "│", "kept", "│", "broken", "│"] in lines
    assert ["│", "tts_b", "│", "│", "expected", "│"] in lines
    text = output.getvalue()
    assert "two: tts_a: It holds.\n  Seen: [not]" in text
    assert "two: tts_b: it is old" in text
    assert "one: 1 kept\n" in text
    assert "two: 1 broken, 1 expected\n" in text


def test_every_rule_is_for_every_plugin_of_its_kind() -> None:
    assert len(cases([])) == sum(
        rule.kind == plugin.kind for rule in RULES.values() for plugin in PLUGINS
    )


def test_plugins_and_rules_are_chosen_by_name_and_pattern() -> None:
    chosen = cases(["openai"], ["tts_*stall"])
    assert {plugin.name for _, plugin in chosen} == {"openai"}
    assert {rule.name for rule, _ in chosen} == {
        name for name in RULES if name.startswith("tts_") and "stall" in name
    }
    assert cases([], ["no such rule"]) == []


def test_the_full_forms_are_those_of_the_rules_that_have_one() -> None:
    chosen = {rule.name for rule, _ in cases([], soak=True)}
    assert chosen == {name for name, rule in RULES.items() if rule.soak}
    assert len(chosen) >= 2
