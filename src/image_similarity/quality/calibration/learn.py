"""Learns which probability a score stands for, and says how far off that is for products it was not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import CalibrationError
from image_similarity.quality.adaptation.groups import grouped
from image_similarity.quality.calibration.measures import Kept, calibration_error, kept_at, log_loss
from image_similarity.search import FEATURES, KINDS, Calibration, ProbabilityCurve, balanced, features
from image_similarity.util.plain_values import Record, fields_of
from image_similarity.util.statistics import folds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from image_similarity.search import Answers, Curve, QueryScores

    Doubles = NDArray[np.float64]

LEAST_PRODUCTS = 30


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How to learn. ``known`` is the share of photos whose product is in the catalogue: what nobody can measure."""

    known: float = 0.5
    false_matches: float = 0.05
    folds: int = 5
    seed: int = 0
    kinds: tuple[str, ...] = tuple(KINDS)


STANDARD = LearnOptions()


@dataclass(frozen=True, slots=True)
class Calibrated(Record):
    """What was learned, and how good it is: everything but ``calibration`` is of products that were left out.

    Attributes:
        calibration: learned from all queries.
        products, queries: how many; each query is asked with and without its product.
        error: the expected calibration error of first answers.
        errors: the same for each kind of query alone.
        shown_error: of all products of all answers.
        kept: of each kind of query, what the threshold of the allowed false matches keeps.
        known: the share of photos whose product is in the catalogue, as it was told.
    """

    calibration: Calibration
    products: int
    queries: Mapping[str, int]
    error: float
    errors: Mapping[str, float]
    shown_error: float
    kept: Mapping[str, Kept]
    known: float

    def as_dict(self) -> dict[str, Any]:
        """Without the curves' numbers."""
        return {
            "products": self.products,
            "known_share": self.known,
            "expected_calibration_error": self.error,
            "of_all_shown": self.shown_error,
            "kinds": {
                name: {"queries": count, "expected_calibration_error": self.errors[name]} | fields_of(self.kept[name])
                for name, count in self.queries.items()
            },
            "curves": {"plain": self.calibration.plain.kind, "scene": self.calibration.scene.kind},
        }


def learn(parts: Mapping[str, QueryScores], options: LearnOptions = STANDARD) -> Calibrated:
    """Learn from queries of several kinds, each kind weighing the same.

    Every figure is of products that were left out: the products are parted into folds, and the answers of each are
    judged by what was learned, and chosen by its own cross-validation, on the others.

    Raises:
        CalibrationError: too few products.
    """
    parts = {name: part for name, part in parts.items() if len(part)}
    products = len(np.unique(np.concatenate([np.empty(0, np.intp), *(part.products for part in parts.values())])))
    if products < LEAST_PRODUCTS:
        raise CalibrationError(
            f"{products} products have an image to ask with, and at least {LEAST_PRODUCTS} are needed to calibrate"
        )
    queries = balanced(list(parts.values()))
    random = np.random.default_rng(options.seed)
    answers = queries.answers(options.known)
    likely = np.empty(answers.scores.shape)
    for inside, outside in folds(grouped(queries.products), options.folds, random):
        calibration = _calibration(queries.of(inside), options, random)
        asked = np.tile(np.isin(np.arange(len(queries)), outside), 2)
        likely[asked] = calibration.probabilities(answers.scores[asked], answers.plain[asked])
    return Calibrated(
        calibration=_calibration(queries, options, random),
        products=products,
        queries={name: len(part) for name, part in parts.items()},
        known=options.known,
        **_judged(likely, answers, np.repeat(list(parts), [len(part) for part in parts.values()]), options),
    )


def _judged(likely: Doubles, answers: Answers, names: NDArray[Any], options: LearnOptions) -> dict[str, Any]:
    """The figures: ``names`` are the kinds of the queries."""
    first, right, weights = likely[:, 0], answers.right[:, 0], answers.weights
    kinds = {name: np.tile(names == name, 2) for name in dict.fromkeys(names.tolist())}
    return {
        "error": calibration_error(first, right, weights),
        "errors": {name: calibration_error(first[of], right[of], weights[of]) for name, of in kinds.items()},
        "shown_error": calibration_error(likely.ravel(), answers.right.ravel(), np.repeat(weights, likely.shape[1])),
        "kept": {
            name: kept_at(first[of], right[of], answers.known[of], weights[of], options.false_matches)
            for name, of in kinds.items()
        },
    }


def _calibration(queries: QueryScores, options: LearnOptions, random: np.random.Generator) -> Calibration:
    """One for images on a plain ground and one for scenes; where there are too few of either, both are of all."""
    sorts = []
    for plain in (True, False):
        these = queries.of(queries.plain == plain)
        enough = len(np.unique(these.products)) >= LEAST_PRODUCTS
        sorts.append(_chosen(these if enough else queries, options, random))
    return Calibration(*sorts)


def _chosen(queries: QueryScores, options: LearnOptions, random: np.random.Generator) -> ProbabilityCurve:
    """The kind with the least surprise for first answers about products that it was not fitted to."""
    losses = dict.fromkeys(options.kinds, 0.0)
    parts = folds(grouped(queries.products), options.folds, random) if len(options.kinds) > 1 else ()
    for inside, outside in parts:
        learned, asked = (queries.of(rows).answers(options.known) for rows in (inside, outside))
        told, right = (features(asked.scores)[:, 0], asked.right[:, 0])
        for kind in options.kinds:
            likely = _first(kind, learned)(told)
            losses[kind] += log_loss(likely, right, asked.weights) * len(outside)
    return fitted(min(losses, key=lambda kind: losses[kind]), queries.answers(options.known))


def fitted(kind: str, answers: Answers) -> ProbabilityCurve:
    """Both curves of one kind."""
    told, depth = features(answers.scores), answers.scores.shape[1]
    first = _first(kind, answers)
    if depth == 1:
        return ProbabilityCurve(kind, first, first)
    rest = told[:, 1:].reshape(-1, len(FEATURES)), answers.right[:, 1:].ravel(), np.repeat(answers.weights, depth - 1)
    return ProbabilityCurve(kind, first, KINDS[kind](*rest))


def _first(kind: str, answers: Answers) -> Curve:
    return KINDS[kind](features(answers.scores)[:, 0], answers.right[:, 0], answers.weights)
