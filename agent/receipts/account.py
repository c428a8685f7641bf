"""Whether a receipt accounts for what the caller measured by itself."""

from collections.abc import Iterable, Sequence

from agent.receipts.receipt import Receipt, Stage

TOLERANCE = 20.0
"""Milliseconds by which receipt and caller may differ."""
SHARE = 0.95
"""Share of the turns on which they must not."""


def covered(stages: Iterable[Stage]) -> float:
    """Return for how many milliseconds at least one stage went on; overlap counts once."""
    length, reached = 0.0, float("-inf")
    for stage in sorted(stages, key=lambda each: each.start):
        length += max(0.0, stage.end - max(stage.start, reached))
        reached = max(reached, stage.end)
    return length


def unaccounted(receipt: Receipt, measured: float) -> float:
    """Return how many milliseconds of the caller's own figure the stages do not account for.

    Args:
        receipt: The turn's receipt.
        measured: What the caller measured on its own clock: from the end of its speech to the
            first sound of the answer, in milliseconds. Below zero: the stages are longer.
    """
    begin = receipt.begin
    end = begin if receipt.end is None else receipt.end
    clipped = [
        Stage(each.name, max(each.start, begin), min(each.end, end))
        for each in receipt.stages
        if each.start < end and each.end > begin
    ]
    return measured - covered(clipped)


def share_accounted(turns: Sequence[tuple[Receipt, float]], tolerance: float = TOLERANCE) -> float:
    """Return the share of turns whose stages account for the measured total within a tolerance.

    Args:
        turns: Receipts with what the caller measured, in milliseconds; not empty.
        tolerance: Milliseconds.
    """
    good = sum(abs(unaccounted(*turn)) <= tolerance for turn in turns)
    return good / len(turns)
