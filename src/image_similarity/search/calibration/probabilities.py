"""From the scores of an answer to the match probability of each of its products."""

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

    first: Curve
    others: Curve

    def probabilities(self, scores: Doubles) -> Doubles:
        """The probability of each product of each answer to be the same product as the query.

        Args:
            scores: ``(m, depth)``, cosines, best first.

        Returns:
            ``(m, depth)``, non-increasing in each row, with a sum of at most 1: a photo shows one of them or none.
        """
        of_answers = features(scores)
        likely = np.empty(scores.shape)
        likely[:, 0] = self.first(of_answers[:, 0])
        likely[:, 1:] = self.others(of_answers[:, 1:].reshape(-1, len(FEATURES))).reshape(
            of_answers.shape[0], of_answers.shape[1] - 1
        )
        falling = np.minimum.accumulate(likely, axis=1)
        fair: Doubles = falling / np.maximum(falling.sum(axis=1, keepdims=True), 1)
        return fair

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ProbabilityCurve:
        """The curves that :meth:`as_dict` gave.

        Raises:
            ValueError, TypeError, KeyError: the record is not valid.
        """
        return cls(Curve.from_dict(record["first"]), Curve.from_dict(record["others"]))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Separate curves for two kinds of query: images on a plain background, as in catalogues, score higher with every
    product than photos of a scene."""

    plain: ProbabilityCurve
    scene: ProbabilityCurve

    def probabilities(self, scores: Doubles, plain: NDArray[np.bool_]) -> Doubles:
        """As :meth:`ProbabilityCurve.probabilities`; ``plain`` ``(m,)``: whether each query has a plain background."""
        likely = np.empty(scores.shape)
        for which, curve in ((plain, self.plain), (~plain, self.scene)):
            likely[which] = curve.probabilities(scores[which])
        return likely
