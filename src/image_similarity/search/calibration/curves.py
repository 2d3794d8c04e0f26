"""Calibration curves: a weighted sum of score, margin and level, then the mean of a logistic and an isotonic curve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.search.calibration.isotonic import isotonic
from image_similarity.search.calibration.logistic import logistic, sigmoid
from image_similarity.search.calibration.query_scores import FEATURES
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


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
        """Probabilities ``(n,)`` of features ``(n, 3)``."""
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


def platt(features: Doubles, right: NDArray[np.bool_], weights: Doubles, uses: tuple[bool, ...]) -> Curve:
    """The logistic curve over some of the features; ``uses`` says which."""
    found, bias = logistic(features[:, list(uses)], right, weights)
    spread = np.zeros(len(uses))
    spread[list(uses)] = found
    return Curve(tuple(spread.tolist()), bias)


def steps(features: Doubles, right: NDArray[np.bool_], weights: Doubles, uses: tuple[bool, ...]) -> Curve:
    """Isotonic regression over the weighted sum of the logistic curve.

    Probabilities are clipped to what one more query could change: at least ``1 / (queries + 2)``.
    """
    sloped = platt(features, right, weights, uses)
    values = features @ np.array(sloped.weights) + sloped.bias
    places, levels = isotonic(values, right.astype(np.float64), weights)
    least = 1 / (len(right) + 2)
    knots = tuple(places.tolist()), tuple(np.clip(levels, least, 1 - least).tolist())
    return Curve(sloped.weights, sloped.bias, *knots, smooth=0.0)


def blend(features: Doubles, right: NDArray[np.bool_], weights: Doubles, uses: tuple[bool, ...]) -> Curve:
    """The mean of both: steps follow the data where it is dense, the logistic curve is stable where it is sparse."""
    return replace(steps(features, right, weights, uses), smooth=0.5)


def _kind(*names: str) -> Callable[..., Curve]:
    uses = tuple(name in names for name in FEATURES)
    return lambda features, right, weights: blend(features, right, weights, uses)


KINDS: dict[str, Callable[[Doubles, NDArray[np.bool_], Doubles], Curve]] = {
    " + ".join(uses): _kind(*uses) for uses in (("score",), ("score", "margin"), ("score", "margin", "level"))
}
"""The features that a curve uses, to its fitting function of features ``(n, 3)``, right ``(n,)``, weights ``(n,)``."""
