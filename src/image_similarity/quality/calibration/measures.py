"""Metrics of match probabilities: calibration error, and the operating point of a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

BINS = 10
ROUNDING = 1e-9


def calibration_error(
    probabilities: Doubles, right: NDArray[np.bool_], weights: Doubles | None = None, bins: int = BINS
) -> float:
    """The expected calibration error: the mean distance of a probability from the share of answers that are right.

    Probabilities fall into ``bins`` of equal width; of each, the difference between their mean and the share that is
    right, weighted by their number (Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015).

    Args:
        probabilities: ``(n,)``, 0..1.
        right: ``(n,)``.
        weights: ``(n,)``; None: equal weights.
        bins: the number of bins.
    """
    counted = np.ones(len(probabilities)) if weights is None else weights
    place = np.minimum((probabilities * bins).astype(np.intp), bins - 1)
    predicted = np.bincount(place, counted * probabilities, bins)
    observed = np.bincount(place, counted * right, bins)
    return float(np.abs(predicted - observed).sum() / counted.sum())


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The effect of a threshold on the first answer's match probability.

    Attributes:
        threshold: a value for ``min_match``.
        false_matches: the share of photos of products outside the catalogue that still get an answer.
        kept: the share of photos of products in the catalogue whose first answer is right and passes.
        found: the same without a threshold: R@1.
    """

    threshold: float
    false_matches: float
    kept: float
    found: float


def operating_point(
    probabilities: Doubles, right: NDArray[np.bool_], known: NDArray[np.bool_], weights: Doubles, false_matches: float
) -> OperatingPoint:
    """The lowest threshold with at most ``false_matches``, and its effect.

    Args:
        probabilities, right: ``(n,)``, of first answers.
        known: ``(n,)``, whether the query's product is in the catalogue.
        weights: ``(n,)``.
        false_matches: 0..1.
    """
    # Every threshold that makes a difference, the last one above all probabilities.
    thresholds = np.append(np.unique(probabilities), np.nextafter(probabilities.max(), 2))
    outside, inside = weights * ~known, weights * known
    counted = np.bincount(np.searchsorted(thresholds, probabilities), outside, len(thresholds))
    false_shares = np.cumsum(counted[::-1])[::-1] / outside.sum()  # at each threshold
    at = int(np.argmax(false_shares <= false_matches + ROUNDING))
    passes = probabilities >= thresholds[at]
    kept, found = (float(inside @ each / inside.sum()) for each in (passes & right, right))
    return OperatingPoint(float(thresholds[at]), float(false_shares[at]), kept, found)
