"""What came out, as a table: rule by plugin."""

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.conformance.kit import Outcome, PluginUnderTest, Rule

STYLES = {
    "kept": "green",
    "broken": "bold red",
    "expected": "yellow",
    "mended": "bold magenta",
    "not claimed": "dim",
}
FAILURES = ("broken", "mended")
_MEANINGS = {
    "broken": "broken",
    "mended": "expected to be broken, but kept: take it off the plugin's `expected`",
    "expected": "broken, as expected",
    "not claimed": "about something that the plugin does not claim to do",
}


@dataclass
class Results:
    """The outcomes so far, by rule and plugin, in the order in which they came."""

    outcomes: dict[tuple[Rule, str], Outcome] = field(default_factory=dict)

    def add(self, rule: Rule, plugin: PluginUnderTest, outcome: Outcome) -> None:
        """Note an outcome."""
        self.outcomes[rule, plugin.name] = outcome

    @property
    def failed(self) -> bool:
        """Whether a plugin did worse than expected, or better."""
        return any(outcome.result in FAILURES for outcome in self.outcomes.values())

    def table(self) -> Table:
        """Return a row per rule and a column per plugin."""
        plugins = list(dict.fromkeys(name for _, name in self.outcomes))
        table = Table("rule", *plugins, title_justify="left")
        for rule in dict.fromkeys(rule for rule, _ in self.outcomes):
            found = [self.outcomes.get((rule, plugin)) for plugin in plugins]
            table.add_row(rule.name, *(styled(outcome) if outcome else "" for outcome in found))
        return table

    def reasons(self) -> list[str]:
        """Return a line for each outcome that is not ``kept``, with the reason; worst first."""
        lines = []
        for result, meaning in _MEANINGS.items():
            found = [
                f"  {plugin}: {rule.name}: {escape(_detail(rule, outcome))}"
                for (rule, plugin), outcome in self.outcomes.items()
                if outcome.result == result
            ]
            if found:
                style = STYLES[result]
                lines += [f"[{style}]{meaning}[/]", *found, ""]
        return lines

    def totals(self) -> list[str]:
        """Return a line per plugin: how many rules it keeps, breaks and so on."""
        counts: dict[str, Counter[str]] = {}
        for (_, plugin), outcome in self.outcomes.items():
            counts.setdefault(plugin, Counter())[outcome.result] += 1
        return [
            f"{plugin}: {', '.join(f'{count[name]} {name}' for name in STYLES if count[name])}"
            for plugin, count in counts.items()
        ]

    def show(self, console: Console) -> None:
        """Print everything."""
        console.print(self.table())
        for line in [*self.reasons(), *self.totals()]:
            console.print(line, highlight=False, soft_wrap=True)


def styled(outcome: Outcome) -> str:
    """Return the result with its colour."""
    return f"[{STYLES[outcome.result]}]{outcome.result}[/]"


def _detail(rule: Rule, outcome: Outcome) -> str:
    # The message of a broken rule begins with the rule's name, which stands there already.
    return outcome.detail.removeprefix(f"{rule.name}: ")
