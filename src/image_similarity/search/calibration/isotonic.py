"""Isotonic regression by pooling adjacent violators.

Ayer, Brunk, Ewing, Reid and Silverman, "An empirical distribution function for sampling with incomplete information",
1955; for probabilities: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
estimates", KDD 2002.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


def isotonic(values: Doubles, targets: Doubles, weights: Doubles) -> tuple[Doubles, Doubles]:
    """The knots of the non-decreasing function with the least weighted squared error.

    Args:
        values: ``(n,)``, the inputs; ``n`` at least 1.
        targets: ``(n,)``, the targets.
        weights: ``(n,)``, above 0.

    Returns:
        Two arrays of one length: inputs, strictly increasing, and the function's values there, non-decreasing. It is
        linear between them and constant outside, as with :func:`numpy.interp`.
    """
    places, same = np.unique(values, return_inverse=True)
    weight: Doubles = np.bincount(same, weights).astype(np.float64)
    mean: Doubles = np.bincount(same, weights * targets) / weight
    levels, ends = _pooled(mean, weight)
    starts = np.concatenate([[0], ends[:-1]])
    kept = np.unique(np.concatenate([starts, ends - 1]))  # only the first and the last point of each level
    return places[kept], levels[np.searchsorted(ends, kept, side="right")]


def _pooled(targets: Doubles, weights: Doubles) -> tuple[Doubles, NDArray[np.intp]]:
    """Levels, strictly increasing, and the end of each (exclusive)."""
    levels: list[tuple[float, float, int]] = []  # mean, weight, end
    for end, (mean, weight) in enumerate(zip(targets.tolist(), weights.tolist(), strict=True), start=1):
        while levels and levels[-1][0] >= mean:
            before, heavy, _ = levels.pop()
            mean, weight = (before * heavy + mean * weight) / (heavy + weight), heavy + weight
        levels.append((mean, weight, end))
    means, _, ends = zip(*levels, strict=True)
    return np.array(means), np.array(ends, np.intp)
