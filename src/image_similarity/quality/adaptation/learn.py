"""Learn the projection for one catalogue and one model, and cross-validate whether it helps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import AdaptationError
from image_similarity.models import Projection
from image_similarity.quality.adaptation.groups import Groups, grouped, joined, sample, with_several
from image_similarity.quality.adaptation.validation import Change, Hits, change, leave_one_out, photo_hits
from image_similarity.quality.adaptation.whitening import axes_of, centres, deviations, discrimination, whitening
from image_similarity.types import no_progress
from image_similarity.util.plain_values import Record, fields_of
from image_similarity.util.sampling import sample_rows
from image_similarity.util.statistics import Bootstrap, folds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from image_similarity.types import Progress

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]
LEAVE_ONE_OUT, SIMULATED = "leave-one-out", "simulated"  # kinds of query
PHOTO_SHARE = 0.1  # of photos in the covariance of irrelevant differences, where products have several images too
FEW = 2  # times the dimension: with fewer rows, the components of all rows of the gallery are kept


class Choice(NamedTuple):
    """The hyperparameters that cross-validation chooses.

    ``emphasis`` multiplies the share of a mixture's smallest part.
    """

    regularisation: float
    emphasis: float
    dimension: int
    share: float


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """How to learn. The defaults were compared in docs/notes/quality.md."""

    regularisations: tuple[float, ...] = (0.3, 1.0)
    emphases: tuple[float, ...] = (1.0, 2.0)
    """Only for mixtures."""
    dimension: int = 256
    share: float = 0.5
    """The exponent of the weight of a direction for discriminating products; 0: no weighting."""
    least_products: int = 30
    """The least number of products with several images, or with photos."""
    folds: int = 4
    most_rows: int = 8_000
    """Most rows to learn from; of more, whole products are sampled."""
    validation_rows: int = 1_500
    """Most rows in the cross-validation, likewise."""
    resamples: int = 2_000
    seed: int = 0


DEFAULTS = LearnOptions()


@dataclass(frozen=True, slots=True)
class Photos:
    """Simulated photos of rows: their vectors ``(m, d)`` of unit length, and the row that each is of ``(m,)``."""

    vectors: NDArray[np.floating]
    rows: Rows

    @classmethod
    def none(cls, dimension: int) -> Photos:
        """No photos of any row."""
        return cls(np.empty((0, dimension), np.float32), np.empty(0, np.intp))


@dataclass(frozen=True, slots=True)
class Learned(Record):
    """A projection, its hyperparameters, and its effect on products that it was not learned from.

    Attributes:
        projection: learned from all products of the sample.
        choice: the hyperparameters that cross-validation chose.
        products, images, photos: how many it was learned from.
        leave_one_out: R@1 of left-out images, cross-validated over products; None if no product has several images.
        simulated: the same of simulated photos; None without photos.
    """

    projection: Projection
    choice: Choice
    products: int
    images: int
    photos: int
    leave_one_out: Change | None
    simulated: Change | None

    @property
    def helps(self) -> bool:
        """Whether one of the two is better by its whole interval, and the other is not worse."""
        differences = [each.difference for each in (self.leave_one_out, self.simulated) if each is not None]
        return any(each.low > 0 for each in differences) and all(each.value >= 0 for each in differences)

    def as_dict(self) -> dict[str, Any]:
        """All fields except the projection, and ``helps``."""
        return fields_of(self, without=("projection", "choice")) | self.choice._asdict() | {"helps": self.helps}


def learn(
    vectors: NDArray[np.floating],
    products: Sequence[Any] | NDArray[Any],
    options: LearnOptions = DEFAULTS,
    *,
    pairs: Iterable[tuple[int, int]] = (),
    photos: Photos | None = None,
    smallest_part: slice | None = None,
    progress: Progress = no_progress,
) -> Learned:
    """Learn from the images of each product and from photos of them, and evaluate on held-out products.

    Args:
        vectors: ``(n, d)``, unit length; original images only, no transformed views.
        products: the product of each row, ``(n,)``.
        options: the values to choose from, and how many rows to use.
        pairs: similar rows of different products: their products count as one.
        photos: simulated photos of some rows.
        smallest_part: the columns of a mixture's part with the smallest share; None for a single model.
        progress: reports the cross-validation.

    Raises:
        AdaptationError: too few products with several images or photos, or no difference in them.
    """
    # By id and not by row, so that another order of the rows samples the same products.
    groups = joined(grouped(products), pairs)
    photos = photos or Photos.none(vectors.shape[1])
    random = np.random.default_rng(options.seed)
    validation = _Examples.sampled(vectors, groups, photos, options.validation_rows, random)
    _check(validation, options)
    emphases = (1.0,) if smallest_part is None else options.emphases
    choices = [Choice(*each, options.dimension, options.share) for each in product(options.regularisations, emphases)]
    before, after = _cross_validated(validation, choices, smallest_part, options, progress)
    examples = _Examples.sampled(vectors, groups, photos, options.most_rows, random)
    choice = _best(after)
    projection = _Fitter(examples, examples.vectors, choice, smallest_part)(choice.regularisation)
    validated, bootstrap = _nested(after), Bootstrap(options.resamples, options.seed)
    changes = {kind: change(before[kind], validated[kind], bootstrap) for kind in before if before[kind].queries.any()}
    return Learned(
        projection,
        choice._replace(dimension=projection.output_dimension),
        examples.products,
        len(examples.vectors),
        len(examples.sources),
        changes.get(LEAVE_ONE_OUT),
        changes.get(SIMULATED),
    )


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A projection learned without one fold. ``out``: ``(n,)``, the rows of the fold's products."""

    projection: Projection
    out: NDArray[np.bool_]


def held_out(
    vectors: NDArray[np.floating],
    products: Sequence[Any] | NDArray[Any],
    choice: Choice,
    options: LearnOptions = DEFAULTS,
    *,
    photos: Photos | None = None,
    smallest_part: slice | None = None,
    trainable: NDArray[np.bool_] | None = None,
) -> Iterator[HeldOut]:
    """Learn again without each of ``options.folds`` folds of the products: every row is held out once.

    Args:
        vectors: ``(n, d)``, unit length, as for :func:`learn`.
        products: the product of each row, ``(n,)``.
        choice: the hyperparameters chosen on all products.
        options: the number of folds, and how many rows to use.
        photos, smallest_part: as for :func:`learn`.
        trainable: ``(n,)``, the rows that may be learned from: original images; None: all.

    Raises:
        AdaptationError: the images of each product in the other folds do not differ.
    """
    groups = grouped(products)
    photos = photos or Photos.none(vectors.shape[1])
    trainable = np.ones(len(groups), bool) if trainable is None else trainable
    random = np.random.default_rng(options.seed)
    gallery = _float32(vectors, sample_rows(np.flatnonzero(trainable), options.most_rows, options.seed))
    for _, test in folds(groups, options.folds, random):
        out = np.zeros(len(groups), bool)
        out[test] = True
        examples = _Examples.sampled(vectors, groups, photos, options.most_rows, random, trainable & ~out)
        yield HeldOut(_Fitter(examples, gallery, choice, smallest_part)(choice.regularisation), out)


@dataclass(frozen=True, slots=True)
class _Examples:
    """Rows to learn from or to validate with, their groups without gaps, and photos of some rows."""

    vectors: Floats
    groups: Groups
    photos: Floats
    sources: Rows

    @classmethod
    def sampled(
        cls,
        vectors: NDArray[np.floating],
        groups: Groups,
        photos: Photos,
        most: int,
        random: np.random.Generator,
        usable: NDArray[np.bool_] | None = None,
    ) -> _Examples:
        """Whole products, at random: those with several images, up to ``most`` rows, and those with photos."""
        usable = np.ones(len(groups), bool) if usable is None else usable
        allowed = np.flatnonzero(usable)
        numbers = grouped(groups[allowed])
        chosen = np.zeros(len(groups), bool)
        if len(with_several(numbers)):
            chosen[allowed[sample(numbers, most, random)]] = True
        of_photos = np.flatnonzero(usable[photos.rows])
        chosen |= usable & np.isin(groups, groups[photos.rows[of_photos]])
        rows = np.flatnonzero(chosen)
        sources = np.searchsorted(rows, photos.rows[of_photos])
        return cls(_float32(vectors, rows), grouped(groups[rows]), _float32(photos.vectors, of_photos), sources)

    def of(self, rows: Rows) -> _Examples:
        """Some of the rows, ascending, with their photos."""
        kept = np.isin(self.sources, rows)
        sources = np.searchsorted(rows, self.sources[kept])
        return _Examples(self.vectors[rows], grouped(self.groups[rows]), self.photos[kept], sources)

    @property
    def products(self) -> int:
        """How many products have several images or photos."""
        return len(np.union1d(with_several(self.groups), self.groups[self.sources]))


def _check(examples: _Examples, options: LearnOptions) -> None:
    count = examples.products
    if count < options.least_products:
        raise AdaptationError(
            f"{count} products have several images, and at least {options.least_products} are needed to learn from: "
            "go on with the model as it is"
        )


def _cross_validated(
    examples: _Examples,
    choices: Sequence[Choice],
    smallest_part: slice | None,
    options: LearnOptions,
    progress: Progress,
) -> tuple[Mapping[str, Hits], Mapping[Choice, list[Mapping[str, Hits]]]]:
    """The hits of the vectors as they are; and of each choice, fold by fold, with a projection learned without it."""
    before = _hits(examples, examples.vectors, examples.photos, np.arange(len(examples.vectors)))
    after: dict[Choice, list[Mapping[str, Hits]]] = {choice: [] for choice in choices}
    parts = folds(examples.groups, options.folds, np.random.default_rng(options.seed))
    for done, (train, test) in enumerate(parts):
        progress("cross-validation", done, options.folds)
        training, fitters = examples.of(train), dict[float, _Fitter]()
        for choice in choices:
            if choice.emphasis not in fitters:
                fitters[choice.emphasis] = _Fitter(training, examples.vectors, choice, smallest_part)
            learned = fitters[choice.emphasis](choice.regularisation)
            projected = learned.apply(examples.vectors)
            photos = learned.apply(examples.photos) if len(examples.photos) else examples.photos
            after[choice].append(_hits(examples, projected, photos, test))
    progress("cross-validation", options.folds, options.folds)
    return before, after


def _hits(examples: _Examples, vectors: Floats, photos: Floats, rows: Rows) -> Mapping[str, Hits]:
    """The hits of queries about the products of some rows; all rows are the gallery."""
    about = np.isin(examples.sources, rows)
    return {
        LEAVE_ONE_OUT: leave_one_out(vectors, examples.groups, rows),
        SIMULATED: photo_hits(photos[about], examples.sources[about], vectors, examples.groups),
    }


def _best(after: Mapping[Choice, Sequence[Mapping[str, Hits]]]) -> Choice:
    """The choice with the least product of the error rates of left-out images and photos; of equals the first."""
    return min(after, key=lambda choice: sum(_log_error(each) for each in _sum(after[choice]).values()))


def _nested(after: Mapping[Choice, Sequence[Mapping[str, Hits]]]) -> Mapping[str, Hits]:
    """The hits of each fold with the choice that is best for the other folds."""
    count = len(next(iter(after.values())))
    parts = []
    for fold in range(count):
        others = {choice: [*hits[:fold], *hits[fold + 1 :]] for choice, hits in after.items()}
        parts.append(after[_best(others)][fold])
    return _sum(parts)


def _sum(parts: Sequence[Mapping[str, Hits]]) -> Mapping[str, Hits]:
    total = dict(parts[0])
    for part in parts[1:]:
        total = {kind: hits + part[kind] for kind, hits in total.items()}
    return total


def _log_error(hits: Hits) -> float:
    """The logarithm of the error rate, by Laplace's rule of succession; 0 without queries."""
    if not hits.queries.any():
        return 0.0
    queries, right = hits.queries.sum(), hits.right.sum()
    return float(np.log((queries - right + 1) / (queries + 2)))


class _Fitter:
    """Fits projections; what does not depend on the regularisation is computed once, here.

    Args:
        examples: what is learned from.
        gallery: ``(n, d)``, rows of the catalogue, whether learned from or not. Their principal components are kept
            where the examples are so few that theirs would not span what the catalogue shows.
        choice: everything but the regularisation.
        smallest_part: the columns of the part that the choice emphasises; None for a single model.
    """

    def __init__(self, examples: _Examples, gallery: Floats, choice: Choice, smallest_part: slice | None) -> None:
        self.mean: Floats = examples.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.scales = np.ones(len(self.mean), np.float32)
        if smallest_part is not None:
            self.scales[smallest_part] = np.sqrt(choice.emphasis)
        rows, photos = (self._scaled(each) for each in (examples.vectors, examples.photos))
        enough = len(rows) >= FEW * choice.dimension
        self.shown = np.concatenate([rows, photos]) if enough else self._scaled(gallery)
        self.axes = axes_of(_nuisance(rows, examples.groups, photos, examples.sources))
        if not len(self.axes.variances):
            raise AdaptationError("all images of each product have the same vector: there is nothing to learn from")
        self.centres, self.dimension = centres(rows, examples.groups), choice.dimension
        # Single images say nothing about which directions discriminate: their means are the images themselves.
        self.share = choice.share if len(with_several(examples.groups)) else 0.0

    def __call__(self, regularisation: float) -> Projection:
        """Whiten, weight what discriminates products, and keep the principal components of the result."""
        whiten = whitening(self.axes, regularisation)
        weight = discrimination(whiten(self.centres), self.share)
        found = axes_of(weight(whiten(self.shown)), self.dimension)
        return Projection.of(self.mean, (whiten(weight(found.directions)) * self.scales).T)

    def _scaled(self, vectors: Floats) -> Floats:
        scaled: Floats = (vectors - self.mean) * self.scales
        return scaled


def _nuisance(rows: Floats, groups: Groups, photos: Floats, sources: Rows) -> Floats:
    """Rows whose outer products add up to the covariance of irrelevant differences.

    Those between images of one product, and half of those between a photo and its image, which differ twice as much as
    either from their mean.
    """
    images = deviations(rows, groups)
    taken = (photos - rows[sources]) / np.float32(np.sqrt(2 * max(len(photos), 1)))
    if not len(images) or not len(taken):
        return np.concatenate([images, taken])
    return np.concatenate([images * np.float32(np.sqrt(1 - PHOTO_SHARE)), taken * np.float32(np.sqrt(PHOTO_SHARE))])


def _float32(vectors: NDArray[np.floating], rows: Rows) -> Floats:
    return np.asarray(vectors[rows], np.float32)
