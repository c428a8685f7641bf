"""What a check has found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["ok", "warn", "fail"]

START = "start everything with `make run`"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    Attributes:
        level: ``ok``; ``warn``: calls work, but not as they should; ``fail``: they do not work.
        found: What is so, without a full stop.
        remedy: What to do: an imperative clause; empty when there is nothing to do.
        figures: What was measured, by name; see `agent.doctor.capacity.Figures`.
    """

    level: Level
    found: str
    remedy: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def ok(found: str, **figures: float) -> Finding:
    """Return the finding that all is well."""
    return Finding("ok", found, figures=figures)


def warn(found: str, remedy: str, **figures: float) -> Finding:
    """Return the finding that something is not as it should be."""
    return Finding("warn", found, remedy, figures)


def fail(found: str, remedy: str) -> Finding:
    """Return the finding that calls cannot work."""
    return Finding("fail", found, remedy)


def fail_with(sentence: str, otherwise: str = "see the log of that part") -> Finding:
    """Return the failure that an error's sentence tells: what is wrong; what to do.

    Args:
        sentence: The sentence.
        otherwise: The remedy if it has none.
    """
    found, _, remedy = sentence.rstrip(".").partition("; ")
    return fail(found, remedy or otherwise)
