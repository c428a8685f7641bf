"""Whether a run is worse than the reference run, by ratios, which hold on any machine."""

import json
from pathlib import Path

from agent.bench.voice.report import Report
from agent.errors import UserError

BAND = 0.25
"""Runs differ by chance: so much above the reference is no regression."""


def check(report: Report, reference: Path) -> str:
    """Return a sentence that says how the run compares.

    Args:
        report: The run; it must have measured the bare agent too.
        reference: The JSON report of the reference run.

    Raises:
        UserError: The run is worse, it has no ratio, or the reference cannot be read.
    """
    try:
        body = json.loads(reference.read_text(encoding="utf-8"))
        expected = float(body["ratio"]["value"])
    except OSError as error:
        raise UserError(f"Cannot read --check {reference}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"--check needs a report of --baseline --json, and {reference} is none."
        ) from None
    found = report.ratio
    if found is None:
        raise UserError("--check compares ratios; measure with --baseline, and see why turns fail.")
    limit = expected * (1 + BAND)
    told = f"{found.value:.2f} of the bare agent's p50, {expected:.2f} in the reference run"
    if found.value > limit:
        raise UserError(f"Slower than it was: {told}; at most {limit:.2f} is allowed.")
    return f"No regression: {told}."
