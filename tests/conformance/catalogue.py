"""The part of the README that follows from the code: the rules, and who is known to break them."""

from collections.abc import Iterable, Iterator

import tests.conformance.rules  # noqa: F401 - declares them
from tests.conformance.kit.plugin import PluginUnderTest
from tests.conformance.kit.rules import RULES

_KINDS = {"tts": "Text to speech", "stt": "Speech to text"}


def catalogue(plugins: Iterable[PluginUnderTest]) -> str:
    """Return it as Markdown.

    Args:
        plugins: Those under test.
    """
    return "\n".join([*_broken(plugins), *_rules()])


def _broken(plugins: Iterable[PluginUnderTest]) -> Iterator[str]:
    plugins = list(plugins)
    yield "## What is known to be broken"
    yield ""
    for plugin in plugins:
        bound = sum(rule.kind == plugin.kind for rule in RULES.values())
        count = len(plugin.expected) or "none"
        yield f"- `{plugin.name}`, {_KINDS[plugin.kind].lower()}: {count} of {bound} rules"
    yield ""
    yield "| plugin | rules | why |"
    yield "|---|---|---|"
    for plugin in plugins:
        for reason in dict.fromkeys(plugin.expected.values()):
            rules = ", ".join(f"`{rule}`" for rule, why in plugin.expected.items() if why == reason)
            yield f"| {plugin.name} | {rules} | {reason} |"
    yield ""


def _rules() -> Iterator[str]:
    yield f"## The {len(RULES)} rules"
    for kind, title in _KINDS.items():
        yield ""
        yield f"### {title}"
        yield ""
        for rule in RULES.values():
            if rule.kind == kind:
                yield f"- `{rule.name}`: {rule.statement}{' ⏱' if rule.soak else ''}"
    yield ""
    yield "⏱ has a full form, which takes minutes: `make soak`."
