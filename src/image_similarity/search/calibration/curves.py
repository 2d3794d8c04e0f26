"""Calibration curves: a weighted sum of four features, then the mean of a logistic and an isotonic curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.search.calibration.isotonic import isotonic
from image_similarity.search.calibration.logistic import logistic, sigmoid
from image_similarity.search.calibration.query_scores import FEATURES
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

RAISES = np.array([name in ("score", "lead") for name in FEATURES])
SMOOTH = 0.5


@dataclass(frozen=True, slots=True)
class Curve(Record):
    """``sigmoid(z)`` with ``z = weights . features + bias``, a piecewise linear function of ``z``, or a mean of both.

    Attributes:
        weights: one for each of :data:`FEATURES`.
        bias: added to the weighted sum.
        places, levels: its knots, ``places`` strictly increasing; empty for the logistic curve alone.
        smooth: the weight of the logistic curve, 0..1.
    """

    weights: tuple[float, ...]
    bias: float
    places: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    smooth: float = 1.0

    def __call__(self, features: Doubles) -> Doubles:
        """Probabilities ``(n,)`` of features ``(n, 4)``."""
        values = features @ np.array(self.weights) + self.bias
        curved = sigmoid(values)
        if not self.places:
            return curved
        stepped: Doubles = np.interp(values, self.places, self.levels)
        return self.smooth * curved + (1 - self.smooth) * stepped

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Curve:
        """The curve that :meth:`as_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: the record is not a valid curve.
        """
        weights, places, levels = (
            tuple(float(value) for value in record[name]) for name in ("weights", "places", "levels")
        )
        curve = cls(weights, float(record["bias"]), places, levels, float(record["smooth"]))
        if len(weights) != len(FEATURES) or len(places) != len(levels):
            raise ValueError("its numbers do not go together")
        numbers = np.array([*weights, curve.bias, *places, *levels])
        if not np.isfinite(numbers).all() or (np.diff(places) <= 0).any():
            raise ValueError("its numbers are not finite, or not in order")
        if any(not 0 <= share <= 1 for share in (*levels, curve.smooth)):
            raise ValueError("a probability or a share is below 0 or above 1")
        return curve


def fit_curve(features: Doubles, right: NDArray[np.bool_], weights: Doubles) -> Curve:
    """The mean of a logistic curve and of isotonic regression over its weighted sum.

    The steps follow the data where it is dense, the logistic curve is stable where it is sparse. A higher score or lead
    never makes an answer less likely. Steps are clipped to what one more query could change: at least
    ``1 / (queries + 2)``.

    Args:
        features: ``(n, 4)``, in the order of :data:`FEATURES`.
        right: ``(n,)``.
        weights: ``(n,)``, above 0.
    """
    slopes, bias = _rising(features, right, weights)
    values = features @ slopes + bias
    places, levels = isotonic(values, right.astype(np.float64), weights)
    least = 1 / (len(right) + 2)
    knots = tuple(places.tolist()), tuple(np.clip(levels, least, 1 - least).tolist())
    return Curve(tuple(slopes.tolist()), bias, *knots, smooth=SMOOTH)


def _rising(features: Doubles, right: NDArray[np.bool_], weights: Doubles) -> tuple[Doubles, float]:
    """The logistic curve ``(f,)`` and its bias without the features that would lower it although they must raise it."""
    used = np.ones(features.shape[1], bool)
    spread = features.std(axis=0)
    while True:
        slopes = np.zeros(features.shape[1])
        slopes[used], bias = logistic(features[:, used], right, weights)
        falls = np.where(RAISES, slopes * spread, 0.0)
        if falls.min() >= 0:
            return slopes, bias
        used[falls.argmin()] = False
