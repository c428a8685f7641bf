"""How sure a difference between two error rates is, or a ratio of two delays."""

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


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with its 95 % interval."""

    value: float
    low: float
    high: float


def ratio_of_medians(values: Sequence[float], baseline: Sequence[float]) -> Ratio | None:
    """Return the median of ``values`` over that of ``baseline``, by paired bootstrap.

    Args:
        values: One value per item.
        baseline: The other system's values of the same items, positive.

    Returns:
        The ratio, or None when there are no items.
    """
    if not len(values):
        return None
    pairs = np.asarray([values, baseline], np.float64)
    random = np.random.default_rng(_SEED)
    draws = random.integers(0, pairs.shape[1], (_ROUNDS, pairs.shape[1]))
    medians = np.median(pairs[:, draws], axis=2)
    low, high = np.percentile(medians[0] / medians[1], [2.5, 97.5])
    whole = np.median(pairs, axis=1)
    return Ratio(float(whole[0] / whole[1]), float(low), float(high))
