"""Learns the projection of one catalogue and one model, and finds out whether it helps."""

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
from image_similarity.quality.adaptation.whitening import components, telling, whitening, within
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
WHOLE = 0
"""The dimension that stands for: as many as the vectors have."""


class Choice(NamedTuple):
    """What cross-validation chooses."""

    dimension: int
    regularisation: float
    share: float


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How to learn. The defaults were compared in docs/notes/quality.md."""

    regularisations: tuple[float, ...] = (0.1, 0.3)
    dimensions: tuple[int, ...] = (256, WHOLE)
    shares: tuple[float, ...] = (0.0, 0.5)
    """Exponents of the weight that a direction gets for telling products apart; 0: none."""
    least_products: int = 30
    """With fewer products of several images there is nothing to learn from."""
    folds: int = 4
    inner_folds: int = 3
    most_rows: int = 20_000
    """Rows that the projection is learned from; of more, whole products by chance."""
    validation_rows: int = 2_000
    """Rows that take part in the cross-validation."""
    resamples: int = 2_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Learned(Record):
    """A projection, what was chosen for it, and what it does to products that it was not learned from.

    ``before``, ``after`` and ``difference`` are of R@1 with one image left out, by cross-validation over products in
    which dimension and regularisation are chosen without the products that are asked about.
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
        """Without the projection's numbers."""
        return fields_of(self, without=("projection",)) | {"helps": self.helps}


def learn(
    vectors: NDArray[np.floating],
    products: Sequence[Any] | NDArray[Any],
    options: LearnOptions | None = None,
    *,
    pairs: Iterable[tuple[int, int]] = (),
    progress: Progress = no_progress,
) -> Learned:
    """Learn from the images of each product, and judge by products that are left out.

    Args:
        vectors: ``(n, d)``, unit length; original images only, no transformed views.
        products: the product of each row, ``(n,)``.
        options: what to choose from, and how much to look at.
        pairs: rows that are alike although their products are not the same: their products count as one.
        progress: told about the folds.

    Raises:
        AdaptationError: fewer products with several images than ``options.least_products``, or no difference in them.
    """
    options = options or LearnOptions()
    # By id and not by row, so that another order of the rows draws the same products.
    groups = joined(grouped(products), pairs)
    _check(groups, options)
    random = np.random.default_rng(options.seed)
    some = sample(groups, options.validation_rows, random)
    before, after = _validated(_rows(vectors, some), _renumbered(groups[some]), options, progress)
    shares = estimates(before, after, Bootstrap(options.resamples, options.seed))
    rows = sample(groups, options.most_rows, random)
    choice = _chosen(_rows(vectors, some), _renumbered(groups[some]), options)
    mean, matrix = _Fitter(_rows(vectors, rows), _renumbered(groups[rows]), choice.dimension)(choice)
    projection = Projection.of(mean, matrix.T)
    count = len(with_several(groups))
    return Learned(projection, len(matrix), choice.regularisation, choice.share, count, len(rows), *shares)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What is learned without some of the products. ``out``: ``(n,)``, the rows of those that were left out."""

    projection: Projection
    out: NDArray[np.bool_]


def held_out(
    vectors: NDArray[np.floating],
    products: Sequence[Any] | NDArray[Any],
    choice: Choice,
    options: LearnOptions | None = None,
    *,
    teaching: NDArray[np.bool_] | None = None,
) -> Iterator[HeldOut]:
    """Learn again without each of ``options.folds`` parts of the products: every row is left out once.

    Args:
        vectors: ``(n, d)``, unit length, as for :func:`learn`.
        products: the product of each row, ``(n,)``.
        choice: what was chosen when all of them were learned from.
        options: how much to look at.
        teaching: ``(n,)``, the rows that may be learned from: original images; None: all.

    Raises:
        AdaptationError: there is no difference in what is left to learn from.
    """
    options = options or LearnOptions()
    groups = grouped(products)
    random = np.random.default_rng(options.seed)
    for known, asked in folds(groups, options.folds, random):
        known = known if teaching is None else known[teaching[known]]
        rows = known[sample(_renumbered(groups[known]), options.most_rows, random)]
        mean, matrix = _Fitter(_rows(vectors, rows), _renumbered(groups[rows]), choice.dimension)(choice)
        out = np.zeros(len(groups), bool)
        out[asked] = True
        yield HeldOut(Projection.of(mean, matrix.T), out)


def _check(groups: Groups, options: LearnOptions) -> None:
    count = len(with_several(groups)) if len(groups) else 0
    if count < options.least_products:
        raise AdaptationError(
            f"{count} products have several images, and at least {options.least_products} are needed to learn from: "
            "go on with the model as it is"
        )


def _validated(vectors: Floats, groups: Groups, options: LearnOptions, progress: Progress) -> tuple[Hits, Hits]:
    """What products that were left out find, without and with what was learned from the others."""
    before, after = list[Hits](), list[Hits]()
    parts = folds(groups, options.folds, np.random.default_rng(options.seed))
    for done, (known, asked) in enumerate(parts):
        progress("cross-validation", done, options.folds)
        learned = vectors[known], _renumbered(groups[known])
        choice = _chosen(*learned, options)
        mean, matrix = _Fitter(*learned, choice.dimension)(choice)
        before.append(leave_one_out(vectors[asked], _renumbered(groups[asked])))
        after.append(leave_one_out(_projected(vectors[asked], mean, matrix), _renumbered(groups[asked])))
    progress("cross-validation", options.folds, options.folds)
    return all_hits(before), all_hits(after)


def _chosen(vectors: Floats, groups: Groups, options: LearnOptions) -> Choice:
    """What does best on products that are left out; of equals the first."""
    right = dict[Choice, float]()
    for known, asked in folds(groups, options.inner_folds, np.random.default_rng(options.seed + 1)):
        left = _renumbered(groups[asked])
        for dimension in options.dimensions:
            fitter = _Fitter(vectors[known], _renumbered(groups[known]), dimension)
            for regularisation, share in product(options.regularisations, options.shares):
                choice = Choice(dimension, regularisation, share)
                hits = leave_one_out(_projected(vectors[asked], *fitter(choice)), left)
                right[choice] = right.get(choice, 0.0) + float(hits.right.sum())
    return max(right, key=lambda choice: right[choice])


class _Fitter:
    """The learning itself. What does not depend on regularisation and share is done once, here."""

    def __init__(self, vectors: Floats, groups: Groups, dimension: int) -> None:
        self.mean: Doubles = vectors.mean(axis=0, dtype=np.float64)
        whole = dimension == WHOLE or dimension >= vectors.shape[1]
        self.basis = None if whole else components(vectors, self.mean, dimension)
        centred = vectors - self.mean
        self.inside: Floats = (centred if self.basis is None else centred @ self.basis.T).astype(np.float32)
        self.groups = groups
        self.axes = within(self.inside, groups)
        if not len(self.axes.variances):
            raise AdaptationError("all images of each product have the same vector: there is nothing to learn from")

    def __call__(self, choice: Choice) -> Fitted:
        first = whitening(self.axes, self.inside.shape[1], choice.regularisation)
        matrix = first
        if choice.share:
            matrix = telling((self.inside @ first).astype(np.float32), self.groups, choice.share) @ first
        return self.mean, matrix if self.basis is None else (matrix @ self.basis).astype(np.float32)


def _projected(vectors: Floats, mean: Doubles, matrix: Floats) -> Floats:
    """Centred, turned, unit length. The mean itself has no direction: it stays zero."""
    turned = (vectors - mean.astype(np.float32)) @ matrix.T
    unit: Floats = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def _rows(vectors: NDArray[np.floating], rows: NDArray[np.intp]) -> Floats:
    return np.asarray(vectors[rows], np.float32)


def _renumbered(groups: Groups) -> Groups:
    return grouped(groups)
