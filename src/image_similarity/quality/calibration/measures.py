"""Is a probability what it says? And what a threshold on it keeps and lets in."""

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
    likely: Doubles, right: NDArray[np.bool_], weights: Doubles | None = None, bins: int = BINS
) -> float:
    """The expected calibration error: how far, on average, a probability is from the share that was right.

    Probabilities fall into ``bins`` of equal width; of each, the difference between their mean and the share that was
    right, weighed by how many there are (Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015).

    Args:
        likely: ``(n,)``, 0..1.
        right: ``(n,)``.
        weights: ``(n,)``; None: all count the same.
        bins: how many.
    """
    counted = np.ones(len(likely)) if weights is None else weights
    place = np.minimum((likely * bins).astype(np.intp), bins - 1)
    promised = np.bincount(place, counted * likely, bins)
    kept = np.bincount(place, counted * right, bins)
    return float(np.abs(promised - kept).sum() / counted.sum())


def log_loss(likely: Doubles, right: NDArray[np.bool_], weights: Doubles) -> float:
    """The mean surprise, in nats: what a way of calibrating is chosen by."""
    given = np.where(right, likely, 1 - likely)
    return float(-(weights @ np.log(np.maximum(given, np.finfo(np.float64).tiny))) / weights.sum())


@dataclass(frozen=True, slots=True)
class Kept:
    """What remains with a threshold on the first answer's probability.

    Attributes:
        threshold: what ``--min-match`` would be.
        false_matches: of the photos of products that are not in the catalogue, the share that still gets an answer.
        kept: of the photos of products that are, the share whose first answer is right and remains.
        found: the same without a threshold: R@1.
    """

    threshold: float
    false_matches: float
    kept: float
    found: float


def kept_at(
    likely: Doubles, right: NDArray[np.bool_], known: NDArray[np.bool_], weights: Doubles, false_matches: float
) -> Kept:
    """The lowest threshold with at most that share of false matches, and what it keeps.

    Args:
        likely, right: ``(n,)``, of first answers.
        known: ``(n,)``, whether the product is in the catalogue at all.
        weights: ``(n,)``.
        false_matches: 0..1.
    """
    places = np.append(np.unique(likely), np.nextafter(likely.max(), 2))  # every threshold that makes a difference
    strange, own = weights * ~known, weights * known
    counted = np.bincount(np.searchsorted(places, likely), strange, len(places))
    let_in = np.cumsum(counted[::-1])[::-1] / strange.sum()  # at each place or above it
    at = int(np.argmax(let_in <= false_matches + ROUNDING))
    remains = likely >= places[at]
    kept, found = (float(own @ each / own.sum()) for each in (remains & right, right))
    return Kept(float(places[at]), float(let_in[at]), kept, found)
