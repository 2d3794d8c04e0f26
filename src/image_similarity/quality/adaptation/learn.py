"""Learn the projection for one catalogue and one model, and cross-validate whether it helps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import AdaptationError
from image_similarity.models import Projection
from image_similarity.quality.adaptation.groups import grouped, joined, sample, with_several
from image_similarity.quality.adaptation.validation import Hits, estimates, joined as all_hits, leave_one_out
from image_similarity.quality.adaptation.whitening import components, discrimination, whitening, within_group_axes
from image_similarity.types import no_progress
from image_similarity.util.plain_values import Record, fields_of
from image_similarity.util.statistics import Bootstrap, Estimate, folds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from image_similarity.quality.adaptation.groups import Groups
    from image_similarity.types import Progress

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Fitted = tuple[Doubles, Floats]  # mean (d,) and matrix (dimension, d)
FULL = 0
"""As a dimension: that of the vectors."""


class Choice(NamedTuple):
    """The hyperparameters that cross-validation chooses."""

    dimension: int
    regularisation: float
    share: float


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How to learn. The defaults were compared in docs/notes/quality.md."""

    regularisations: tuple[float, ...] = (0.1, 0.3)
    dimensions: tuple[int, ...] = (256, FULL)
    shares: tuple[float, ...] = (0.0, 0.5)
    """Exponents of the weight of a direction for discriminating products; 0: no weighting."""
    least_products: int = 30
    """The least number of products with several images."""
    folds: int = 4
    inner_folds: int = 3
    most_rows: int = 20_000
    """Most rows to learn from; of more, whole products are sampled."""
    validation_rows: int = 2_000
    """Most rows in the cross-validation, likewise."""
    resamples: int = 2_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Learned(Record):
    """A projection, its hyperparameters, and its effect on products that it was not learned from.

    ``before``, ``after`` and ``difference`` are leave-one-out R@1, cross-validated over products; the hyperparameters
    are chosen inside each fold, without the held-out products.
    """

    projection: Projection
    dimension: int
    regularisation: float
    share: float
    products: int
    images: int
    before: Estimate
    after: Estimate
    difference: Estimate

    @property
    def helps(self) -> bool:
        """Whether the whole interval of the difference is above zero."""
        return self.difference.low > 0

    def as_dict(self) -> dict[str, Any]:
        """All fields except the projection, and ``helps``."""
        return fields_of(self, without=("projection",)) | {"helps": self.helps}


def learn(
    vectors: NDArray[np.floating],
    products: Sequence[Any] | NDArray[Any],
    options: LearnOptions | None = None,
    *,
    pairs: Iterable[tuple[int, int]] = (),
    progress: Progress = no_progress,
) -> Learned:
    """Learn from the images of each product, and evaluate on held-out products.

    Args:
        vectors: ``(n, d)``, unit length; original images only, no transformed views.
        products: the product of each row, ``(n,)``.
        options: the values to choose from, and how many rows to use.
        pairs: similar rows of different products: their products count as one.
        progress: reports the folds.

    Raises:
        AdaptationError: fewer products with several images than ``options.least_products``, or no difference in them.
    """
    options = options or LearnOptions()
    # By id and not by row, so that another order of the rows samples the same products.
    groups = joined(grouped(products), pairs)
    _check(groups, options)
    random = np.random.default_rng(options.seed)
    some = sample(groups, options.validation_rows, random)
    before, after = _cross_validated(_rows(vectors, some), _renumbered(groups[some]), options, progress)
    shares = estimates(before, after, Bootstrap(options.resamples, options.seed))
    rows = sample(groups, options.most_rows, random)
    choice = _best_choice(_rows(vectors, some), _renumbered(groups[some]), options)
    mean, matrix = _Fitter(_rows(vectors, rows), _renumbered(groups[rows]), choice.dimension)(choice)
    projection = Projection.of(mean, matrix.T)
    count = len(with_several(groups))
    return Learned(projection, len(matrix), choice.regularisation, choice.share, count, len(rows), *shares)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A projection learned without one fold. ``out``: ``(n,)``, the rows of the fold's products."""

    projection: Projection
    out: NDArray[np.bool_]


def held_out(
    vectors: NDArray[np.floating],
    products: Sequence[Any] | NDArray[Any],
    choice: Choice,
    options: LearnOptions | None = None,
    *,
    trainable: NDArray[np.bool_] | None = None,
) -> Iterator[HeldOut]:
    """Learn again without each of ``options.folds`` folds of the products: every row is held out once.

    Args:
        vectors: ``(n, d)``, unit length, as for :func:`learn`.
        products: the product of each row, ``(n,)``.
        choice: the hyperparameters chosen on all products.
        options: the number of folds, and how many rows to use.
        trainable: ``(n,)``, the rows that may be learned from: original images; None: all.

    Raises:
        AdaptationError: the images of each product in the other folds do not differ.
    """
    options = options or LearnOptions()
    groups = grouped(products)
    random = np.random.default_rng(options.seed)
    for train, test in folds(groups, options.folds, random):
        train = train if trainable is None else train[trainable[train]]
        rows = train[sample(_renumbered(groups[train]), options.most_rows, random)]
        mean, matrix = _Fitter(_rows(vectors, rows), _renumbered(groups[rows]), choice.dimension)(choice)
        out = np.zeros(len(groups), bool)
        out[test] = True
        yield HeldOut(Projection.of(mean, matrix.T), out)


def _check(groups: Groups, options: LearnOptions) -> None:
    count = len(with_several(groups)) if len(groups) else 0
    if count < options.least_products:
        raise AdaptationError(
            f"{count} products have several images, and at least {options.least_products} are needed to learn from: "
            "go on with the model as it is"
        )


def _cross_validated(vectors: Floats, groups: Groups, options: LearnOptions, progress: Progress) -> tuple[Hits, Hits]:
    """The hits of held-out products, without and with a projection learned from the others."""
    before, after = list[Hits](), list[Hits]()
    parts = folds(groups, options.folds, np.random.default_rng(options.seed))
    for done, (train, test) in enumerate(parts):
        progress("cross-validation", done, options.folds)
        training = vectors[train], _renumbered(groups[train])
        choice = _best_choice(*training, options)
        mean, matrix = _Fitter(*training, choice.dimension)(choice)
        before.append(leave_one_out(vectors[test], _renumbered(groups[test])))
        after.append(leave_one_out(_projected(vectors[test], mean, matrix), _renumbered(groups[test])))
    progress("cross-validation", options.folds, options.folds)
    return all_hits(before), all_hits(after)


def _best_choice(vectors: Floats, groups: Groups, options: LearnOptions) -> Choice:
    """The hyperparameters with the most hits on held-out products; of equals the first."""
    right = dict[Choice, float]()
    for train, test in folds(groups, options.inner_folds, np.random.default_rng(options.seed + 1)):
        test_groups = _renumbered(groups[test])
        for dimension in options.dimensions:
            fitter = _Fitter(vectors[train], _renumbered(groups[train]), dimension)
            for regularisation, share in product(options.regularisations, options.shares):
                choice = Choice(dimension, regularisation, share)
                hits = leave_one_out(_projected(vectors[test], *fitter(choice)), test_groups)
                right[choice] = right.get(choice, 0.0) + float(hits.right.sum())
    return max(right, key=lambda choice: right[choice])


class _Fitter:
    """Fits mean and matrix; the work that does not depend on regularisation and share is done once, here."""

    def __init__(self, vectors: Floats, groups: Groups, dimension: int) -> None:
        self.mean: Doubles = vectors.mean(axis=0, dtype=np.float64)
        full = dimension == FULL or dimension >= vectors.shape[1]
        self.basis = None if full else components(vectors, self.mean, dimension)
        centred = vectors - self.mean
        self.inside: Floats = (centred if self.basis is None else centred @ self.basis.T).astype(np.float32)
        self.groups = groups
        self.axes = within_group_axes(self.inside, groups)
        if not len(self.axes.variances):
            raise AdaptationError("all images of each product have the same vector: there is nothing to learn from")

    def __call__(self, choice: Choice) -> Fitted:
        first = whitening(self.axes, self.inside.shape[1], choice.regularisation)
        matrix = first
        if choice.share:
            matrix = discrimination((self.inside @ first).astype(np.float32), self.groups, choice.share) @ first
        return self.mean, matrix if self.basis is None else (matrix @ self.basis).astype(np.float32)


def _projected(vectors: Floats, mean: Doubles, matrix: Floats) -> Floats:
    """Centre, project and scale to unit length; a vector equal to the mean becomes zero."""
    projected = (vectors - mean.astype(np.float32)) @ matrix.T
    unit: Floats = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def _rows(vectors: NDArray[np.floating], rows: NDArray[np.intp]) -> Floats:
    return np.asarray(vectors[rows], np.float32)


def _renumbered(groups: Groups) -> Groups:
    return grouped(groups)
