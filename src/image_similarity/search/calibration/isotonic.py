"""The rising steps that fit best: isotonic regression by pooling adjacent violators.

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
    """The knots of the rising function with the least weighted squared error.

    Args:
        values: ``(n,)``, what is known; ``n`` at least 1.
        targets: ``(n,)``, what it should give.
        weights: ``(n,)``, above 0.

    Returns:
        Two arrays of one length: places, strictly rising, and what the function is there, never falling. Between them
        it is a straight line, outside of them constant, as :func:`numpy.interp` has it.
    """
    places, same = np.unique(values, return_inverse=True)
    weight: Doubles = np.bincount(same, weights).astype(np.float64)
    mean: Doubles = np.bincount(same, weights * targets) / weight
    levels, ends = _pooled(mean, weight)
    starts = np.concatenate([[0], ends[:-1]])
    kept = np.unique(np.concatenate([starts, ends - 1]))  # of a level only where it begins and where it ends
    return places[kept], levels[np.searchsorted(ends, kept, side="right")]


def _pooled(targets: Doubles, weights: Doubles) -> tuple[Doubles, NDArray[np.intp]]:
    """Levels from left to right, strictly rising, and where each ends (exclusive)."""
    levels: list[tuple[float, float, int]] = []  # mean, weight, end
    for end, (mean, weight) in enumerate(zip(targets.tolist(), weights.tolist(), strict=True), start=1):
        while levels and levels[-1][0] >= mean:
            before, heavy, _ = levels.pop()
            mean, weight = (before * heavy + mean * weight) / (heavy + weight), heavy + weight
        levels.append((mean, weight, end))
    means, _, ends = zip(*levels, strict=True)
    return np.array(means), np.array(ends, np.intp)
