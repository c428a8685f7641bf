"""How sure a difference between two error rates is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_ROUNDS = 10_000
_SEED = 20_260


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of error rates in points (percent of words), with its 95 % interval."""

    points: float
    low: float
    high: float


def paired_difference(
    errors: Sequence[int], baseline: Sequence[int], words: Sequence[int]
) -> Difference | None:
    """Return by how much more often the first system errs.

    Clips are drawn with replacement, and both systems are scored on the same draw (paired
    bootstrap, percentile interval): what makes a clip hard for both cancels out.

    Args:
        errors: Wrong words of the first system, per clip.
        baseline: Wrong words of the second system, on the same clips.
        words: Words that were said, per clip.

    Returns:
        The difference, or None when nothing was said.
    """
    counts = np.asarray(words, np.float64)
    if not counts.sum():
        return None
    excess = np.asarray(errors, np.float64) - np.asarray(baseline, np.float64)
    random = np.random.default_rng(_SEED)
    draws = random.integers(0, len(counts), (_ROUNDS, len(counts)))
    said = counts[draws].sum(axis=1)
    rates = 100 * excess[draws].sum(axis=1) / np.where(said, said, 1.0)
    low, high = np.percentile(rates, [2.5, 97.5])
    return Difference(float(100 * excess.sum() / counts.sum()), float(low), float(high))
