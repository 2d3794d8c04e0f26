"""Learn the match probability of a score, and measure its error on products that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import CalibrationError
from image_similarity.quality.adaptation.groups import grouped
from image_similarity.quality.calibration.measures import OperatingPoint, calibration_error, operating_point
from image_similarity.search import FEATURES, Calibration, ProbabilityCurve, QueryScores, features, fit_curve
from image_similarity.util.plain_values import Record, fields_of
from image_similarity.util.statistics import folds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from image_similarity.search import Answers

    Doubles = NDArray[np.float64]

LEAST_PRODUCTS = 30


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How to learn and to measure.

    Attributes:
        known_share: the share of photos whose product is in the catalogue, an assumption.
        false_matches: the share of photos without a right answer that an operating point lets pass.
        folds, splits: the figures are cross-validated in so many folds, and so many times.
        seed: splits the products.
    """

    known_share: float = 0.5
    false_matches: float = 0.05
    folds: int = 5
    splits: int = 5
    seed: int = 0


STANDARD = LearnOptions()


@dataclass(frozen=True, slots=True)
class Calibrated(Record):
    """What was learned, and how good it is: all figures are of products that were held out.

    Attributes:
        calibration: learned from all queries.
        products, queries: how many; each query counts with and without its product in the catalogue.
        error: the expected calibration error of first answers.
        errors: the same for each kind of query alone.
        shown_error: the same for all products of all answers.
        operating_points: for each kind of query, the threshold with the allowed false matches, and its effect.
        known_share: the share of photos whose product is in the catalogue, as assumed.
    """

    calibration: Calibration
    products: int
    queries: Mapping[str, int]
    error: float
    errors: Mapping[str, float]
    shown_error: float
    operating_points: Mapping[str, OperatingPoint]
    known_share: float

    def as_dict(self) -> dict[str, Any]:
        """Without the curves' numbers."""
        return {
            "products": self.products,
            "known_share": self.known_share,
            "expected_calibration_error": self.error,
            "of_all_shown": self.shown_error,
            "kinds": {
                name: {"queries": count, "expected_calibration_error": self.errors[name]}
                | fields_of(self.operating_points[name])
                for name, count in self.queries.items()
            },
        }


def learn(parts: Mapping[str, QueryScores], options: LearnOptions = STANDARD) -> Calibrated:
    """Learn from queries of several kinds; those with too few products do not count.

    The figures are cross-validated over products: the answers of each fold get their probabilities from curves that
    were learned on the other folds. On a small catalogue they depend on how its products are split, so they are the
    means of several splits, and an operating point is that of the answers of all splits.

    Raises:
        CalibrationError: too few products.
    """
    products = {name: len(np.unique(part.products)) for name, part in parts.items()}
    parts = {name: part for name, part in parts.items() if products[name] >= LEAST_PRODUCTS}
    if not parts:
        raise CalibrationError(
            f"{max(products.values(), default=0)} products have an image to query with, and at least {LEAST_PRODUCTS} "
            "are needed to calibrate"
        )
    queries = QueryScores.concatenated(list(parts.values()))
    random = np.random.default_rng(options.seed)
    answers = queries.answers(options.known_share)
    probabilities = np.empty((options.splits, *answers.scores.shape))
    for split in probabilities:
        for train, test in folds(grouped(queries.products), options.folds, random):
            calibration = _calibration(queries.of(train), options.known_share)
            held_out = np.tile(np.isin(np.arange(len(queries)), test), 2)
            split[held_out] = calibration.probabilities(answers.scores[held_out], answers.plain[held_out])
    return Calibrated(
        calibration=_calibration(queries, options.known_share),
        products=len(np.unique(queries.products)),
        queries={name: len(part) for name, part in parts.items()},
        known_share=options.known_share,
        **_figures(probabilities, answers, np.repeat(list(parts), [len(part) for part in parts.values()]), options),
    )


def _figures(probabilities: Doubles, answers: Answers, names: NDArray[Any], options: LearnOptions) -> dict[str, Any]:
    """The figures of :class:`Calibrated`.

    Args:
        probabilities: ``(splits, answers, depth)``.
        answers: what was right.
        names: ``(queries,)``, the kind of each.
        options: the false matches of operating points.
    """
    first, right, weights, splits = probabilities[:, :, 0], answers.right[:, 0], answers.weights, len(probabilities)
    kinds = {name: np.tile(names == name, 2) for name in dict.fromkeys(names.tolist())}
    return {
        "error": _mean_error(first, right, weights),
        "errors": {name: _mean_error(first[:, of], right[of], weights[of]) for name, of in kinds.items()},
        "shown_error": _mean_error(
            probabilities.reshape(splits, -1), answers.right.ravel(), np.repeat(weights, probabilities.shape[2])
        ),
        "operating_points": {
            name: operating_point(
                first[:, of].ravel(),
                np.tile(right[of], splits),
                np.tile(answers.known[of], splits),
                np.tile(weights[of], splits),
                options.false_matches,
            )
            for name, of in kinds.items()
        },
    }


def _mean_error(splits: Doubles, right: NDArray[np.bool_], weights: Doubles) -> float:
    return float(np.mean([calibration_error(probabilities, right, weights) for probabilities in splits]))


def _calibration(queries: QueryScores, known_share: float) -> Calibration:
    """One curve for images on a plain ground and one for scenes; each is fitted to all queries if it has too few."""
    curves = []
    for plain in (True, False):
        these = queries.of(queries.plain == plain)
        enough = len(np.unique(these.products)) >= LEAST_PRODUCTS
        curves.append(_curve((these if enough else queries).answers(known_share)))
    return Calibration(*curves)


def _curve(answers: Answers) -> ProbabilityCurve:
    """A curve for first answers and one for the others."""
    inputs, depth = features(answers.scores), answers.scores.shape[1]
    first = fit_curve(inputs[:, 0], answers.right[:, 0], answers.weights)
    if depth == 1:
        return ProbabilityCurve(first, first)
    rest = inputs[:, 1:].reshape(-1, len(FEATURES)), answers.right[:, 1:].ravel(), np.repeat(answers.weights, depth - 1)
    return ProbabilityCurve(first, fit_curve(*rest))
