"""Every rule of the kit against every plugin that is registered."""

import pytest

import tests.conformance.rules  # noqa: F401 - declares them
from tests.conformance.kit import PluginUnderTest, Rule
from tests.conformance.kit.rules import RULES
from tests.conformance.kit.runner import judge
from tests.conformance.plugins import INSTALLED
from tests.conformance.servers import Servers

pytestmark = pytest.mark.conformance

CASES = [
    pytest.param(rule, plugin, id=f"{plugin.name}-{rule.name}")
    for plugin in INSTALLED
    for rule in RULES.values()
    if rule.kind == plugin.kind
]


@pytest.mark.parametrize(("rule", "plugin"), CASES)
async def test_rule(rule: Rule, plugin: PluginUnderTest, servers: Servers) -> None:
    outcome = await judge(rule, plugin, servers(plugin))
    assert outcome.result != "broken", outcome.detail
    assert outcome.result != "mended", (
        f"{plugin.name} keeps {rule.name} now: take it off its `expected` ({outcome.detail})"
    )
