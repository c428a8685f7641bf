"""The failures that an operator may meet as documentation, taken from their catalogue."""

import re

from livekit.plugins.local.failures import GROUPS

_HEAD = """\
# Errors

What can go wrong with the models, the disk and the device, and what to do. Programs see the code.
Words in capitals stand for what it is about. This page is made by `eloquence errors`.
"""


def markdown() -> str:
    """Return ``docs/errors.md``: a table of code, sentence and remedy for each group."""
    blocks = [_HEAD]
    for title, failures in GROUPS.items():
        lines = [f"## {title}", "", "| code | what is wrong | what to do |", "|---|---|---|"]
        for code, failure in failures.items():
            lines.append(f"| `{code}` | {_shown(failure.sentence)} | {_shown(failure.remedy)} |")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _shown(template: str) -> str:
    """Return a template with its names in capitals."""
    return re.sub(r"{(\w+)}", lambda name: name[1].upper(), template)
