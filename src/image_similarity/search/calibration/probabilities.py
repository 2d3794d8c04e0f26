"""From an answer's scores to how surely each product is the very one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.search.calibration.curves import Curve
from image_similarity.search.calibration.query_scores import FEATURES, features
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ProbabilityCurve(Record):
    """A curve for the first product of an answer, and one for all others."""

    kind: str
    first: Curve
    others: Curve

    def probabilities(self, scores: Doubles) -> Doubles:
        """How surely each product of each answer is the very one.

        Args:
            scores: ``(m, depth)``, cosines, best first.

        Returns:
            ``(m, depth)``, never rising along a line, whose sum is at most 1: a photo's product is one of them or none.
        """
        told = features(scores)
        likely = np.empty(scores.shape)
        likely[:, 0] = self.first(told[:, 0])
        likely[:, 1:] = self.others(told[:, 1:].reshape(-1, len(FEATURES))).reshape(told.shape[0], told.shape[1] - 1)
        falling = np.minimum.accumulate(likely, axis=1)
        fair: Doubles = falling / np.maximum(falling.sum(axis=1, keepdims=True), 1)
        return fair

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ProbabilityCurve:
        """What :meth:`as_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        return cls(str(record["kind"]), Curve.from_dict(record["first"]), Curve.from_dict(record["others"]))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a score means depends on the image that asks: one on a plain ground, as catalogues have them, scores
    higher with everything than a photo of a scene."""

    plain: ProbabilityCurve
    scene: ProbabilityCurve

    def probabilities(self, scores: Doubles, plain: NDArray[np.bool_]) -> Doubles:
        """As :meth:`ProbabilityCurve.probabilities`; ``plain`` is ``(m,)``, which queries are on a plain ground."""
        likely = np.empty(scores.shape)
        for which, curve in ((plain, self.plain), (~plain, self.scene)):
            likely[which] = curve.probabilities(scores[which])
        return likely
