"""``python -m tests.conformance``: every rule against every registered plugin, as a table."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from fnmatch import fnmatch

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.conformance.catalogue import catalogue
from tests.conformance.kit import PluginUnderTest, Rule
from tests.conformance.kit.rules import RULES
from tests.conformance.kit.runner import judge
from tests.conformance.plugins import INSTALLED, PLUGINS
from tests.conformance.servers import running_servers
from tests.conformance.table import FAILURES, Results, styled
from tests.conformance.voices import VOICES

Case = tuple[Rule, PluginUnderTest]

INTERRUPTED = 130
WHAT = "Checks every rule of the kit against every registered plugin and prints a table."


def cases(names: Sequence[str], patterns: Sequence[str] = (), *, soak: bool = False) -> list[Case]:
    """Return what there is to run.

    Args:
        names: Plugins to ask; empty is all but the real voices, which take their time.
        patterns: Parts of the rules' names, in which ``*`` stands for anything; empty is all rules.
        soak: Whether to run only the rules that have a full form.
    """
    return [
        (rule, plugin)
        for rule in RULES.values()
        for plugin in (*INSTALLED, *VOICES)
        if rule.kind == plugin.kind
        and (plugin.name in names or (not names and plugin in INSTALLED))
        and any(fnmatch(rule.name, f"*{pattern}*") for pattern in patterns or ("",))
        and (rule.soak or not soak)
    ]


def run(todo: Sequence[Case], results: Results, console: Console, *, soak: bool = False) -> None:
    """Run the cases one after another and show how far they are."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
    with running_servers() as servers, progress:
        bar = progress.add_task("starting", total=len(todo))
        for rule, plugin in todo:
            progress.update(bar, description=f"{plugin.name} {rule.name}")
            # A loop for each case: what a plugin does to it is gone afterwards.
            outcome = asyncio.run(judge(rule, plugin, servers(plugin), soak=soak))
            results.add(rule, plugin, outcome)
            progress.advance(bar)
            if outcome.result in FAILURES or not console.is_terminal:
                console.print(f"{plugin.name} {rule.name}: {styled(outcome)}", highlight=False)


def main() -> int:
    """Return the exit status: 0 if every plugin did as expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=WHAT)
    names = sorted({plugin.name for plugin in (*INSTALLED, *VOICES)})
    parser.add_argument("--plugin", action="append", choices=names, default=[])
    parser.add_argument(
        "--rule", metavar="PATTERN", action="append", default=[], help="part of a rule's name"
    )
    parser.add_argument("--soak", action="store_true", help="the full form of rules that have one")
    parser.add_argument(
        "--list", action="store_true", help="print the rules, as they stand in the README"
    )
    chosen = parser.parse_args()
    if chosen.list:
        print(catalogue(PLUGINS))
        return 0
    if not (todo := cases(chosen.plugin, chosen.rule, soak=chosen.soak)):
        parser.error("no rule matches; --list prints them")
    # The framework logs every failure that a rule provokes.
    logging.getLogger().addHandler(logging.NullHandler())
    console, results = Console(), Results()
    try:
        run(todo, results, console, soak=chosen.soak)
    except KeyboardInterrupt:
        results.show(console)
        console.print(f"interrupted after {len(results.outcomes)} of {len(todo)} cases")
        return INTERRUPTED
    results.show(console)
    return int(results.failed)


if __name__ == "__main__":
    sys.exit(main())
