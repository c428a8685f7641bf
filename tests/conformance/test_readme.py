"""The README tells what the code says."""

from pathlib import Path

import pytest

from tests.conformance.catalogue import catalogue
from tests.conformance.kit import PluginUnderTest
from tests.conformance.kit.rules import RULES
from tests.conformance.plugins import PLUGINS

pytestmark = pytest.mark.conformance


def test_the_readme_ends_with_the_catalogue() -> None:
    readme = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    assert readme.endswith(catalogue(PLUGINS) + "\n"), (
        "put the output of `python -m tests.conformance --list` at the end of the README"
    )


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.name}-{plugin.kind}")
def test_what_is_said_of_a_plugin_is_about_rules_that_exist(plugin: PluginUnderTest) -> None:
    known = {name for name, rule in RULES.items() if rule.kind == plugin.kind}
    assert {*plugin.expected, *plugin.lacks} <= known
