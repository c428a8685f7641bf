"""A conformance kit for LiveKit speech plugins: the rules, and what it takes to check them."""

from tests.conformance.kit.backend import Backend, Behaviour, Journal
from tests.conformance.kit.plugin import PluginUnderTest
from tests.conformance.kit.rules import NotClaimed, Rule, RuleBroken, demand, only_if, rule
from tests.conformance.kit.runner import Outcome, run_rule

__all__ = [
    "Backend",
    "Behaviour",
    "Journal",
    "NotClaimed",
    "Outcome",
    "PluginUnderTest",
    "Rule",
    "RuleBroken",
    "demand",
    "only_if",
    "rule",
    "run_rule",
]
