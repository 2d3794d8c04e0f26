"""Who asks, and what would be right: each protocol gives its queries in blocks, so that none holds the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.quality.evaluation.metrics import measure
from image_similarity.quality.evaluation.ranks import ITEMS, QUERIES, Asked, Scores, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

RIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class BlockSize:
    """How much is looked at together: queries, and right answers of all of them.

    A product of very many images asks in smaller blocks.
    """

    queries: int = QUERIES
    right: int = RIGHT


BLOCK = BlockSize()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The images that answer: one row each, product by product.

    Attributes:
        vectors: ``(rows, dimension)``.
        row_product: ``(rows,)``.
        starts: ``(products + 1,)``, the first row of each product.
    """

    vectors: NDArray[np.floating]
    row_product: NDArray[np.integer]
    starts: NDArray[np.integer]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How each query went, in the order asked.

    Attributes:
        names: ``(queries,)``, what asked: a row, a photo or a product by number.
        products: ``(queries,)``, what it is about.
        values: ``(queries, 5)``, as :data:`~image_similarity.quality.evaluation.metrics.METRICS`.
        first: ``(queries,)``, the rank from 0 of the first right answer.
        best, top: ``(queries,)``, the item of the first right answer, and of the first answer.
    """

    names: NDArray[np.intp]
    products: NDArray[np.intp]
    values: NDArray[np.float64]
    first: NDArray[np.int64]
    best: NDArray[np.intp]
    top: NDArray[np.intp]


def leave_one_image_out(
    catalogue: Catalogue,
    values: NDArray[np.integer] | None = None,
    askers: NDArray[np.integer] | None = None,
    block: BlockSize = BLOCK,
) -> Iterator[Asked]:
    """Each image asks, and its product's other images are right; itself is left out by identity.

    Args:
        catalogue: the images.
        values: ``(rows,)``, a number for each value of an attribute, 0 for none: images with the asking image's own
            value are no answers, of whichever product. An image without a value asks among all others.
        askers: the rows that ask, ascending; None: all.
        block: how much is looked at together.

    A query without a right answer left is not asked.
    """
    starts = np.asarray(catalogue.starts)
    if askers is None:
        askers = np.flatnonzero(np.diff(starts)[catalogue.row_product] > 1)
    owners = np.asarray(catalogue.row_product)[askers].astype(np.intp)
    for rows in _cut(np.asarray(askers, np.intp), starts[owners + 1] - starts[owners], block):
        lines, right = _ranges(starts, np.asarray(catalogue.row_product)[rows])
        keep = right != rows[lines]
        if values is not None:
            keep &= (values[rows][lines] == 0) | (values[right] != values[rows][lines])
        counts = np.bincount(lines[keep], minlength=len(rows))
        asking = rows[counts > 0]
        if len(asking):
            products = np.asarray(catalogue.row_product)[asking].astype(np.intp)
            asked = _asked(asking, products, catalogue.vectors[asking], right[keep], counts[counts > 0], own=asking)
            yield asked if values is None else replace(asked, group=values[asking], item_group=values)


def simulated(catalogue: Catalogue, vectors: NDArray[np.floating], sources: NDArray[np.integer]) -> Iterator[Asked]:
    """Each simulated photo asks, and all images of its product are right, but the one that the photo was made of.

    That one is no answer at all, unless its product has no other: then it is what is to be found.

    Args:
        catalogue: the images.
        vectors: ``(photos, dimension)``.
        sources: ``(photos,)``, the row that each was made of.
    """
    starts = np.asarray(catalogue.starts)
    owners = np.asarray(catalogue.row_product)[sources].astype(np.intp)
    sizes = starts[owners + 1] - starts[owners]
    for numbers in _cut(np.arange(len(vectors)), sizes):
        own, alone = np.asarray(sources, np.intp)[numbers], sizes[numbers] == 1
        lines, right = _ranges(starts, owners[numbers])
        keep = (right != own[lines]) | alone[lines]
        counts = np.bincount(lines[keep], minlength=len(numbers))
        yield _asked(numbers, owners[numbers], vectors[numbers], right[keep], counts, own=np.where(alone, -1, own))


def photos(
    catalogue: Catalogue, vectors: NDArray[np.floating], right_products: Sequence[Sequence[int]]
) -> Iterator[Asked]:
    """Each photo from outside asks, and all images of its product, or of any of its products, are right.

    Args:
        catalogue: the images.
        vectors: ``(photos, dimension)``.
        right_products: of each photo, its products by number, one or more; the first is what it is about.
    """
    starts = np.asarray(catalogue.starts)
    for numbers in _cut(np.arange(len(vectors)), np.ones(len(vectors))):
        rows = []
        for number in numbers:
            _, found = _ranges(starts, np.unique(right_products[number]))
            rows.append(found)
        products = np.array([right_products[number][0] for number in numbers], np.intp)
        counts = np.array([len(each) for each in rows])
        yield _asked(numbers, products, vectors[numbers], np.concatenate(rows), counts)


def picks(catalogue: Catalogue, similar: Mapping[int, Sequence[int]]) -> Iterator[Asked]:
    """Each product asks with all of its images, and the products that somebody has picked for it are right.

    Args:
        catalogue: the images.
        similar: product to products, by number, one or more for each and not itself.
    """
    starts = np.asarray(catalogue.starts)
    askers = np.array(sorted(similar), np.intp)
    for products in _cut(askers, np.diff(starts)[askers]):
        lines, rows = _ranges(starts, products)
        right = [np.unique(similar[product]) for product in products]
        yield _asked(
            products,
            products,
            catalogue.vectors[rows],
            np.concatenate(right),
            np.array([len(each) for each in right]),
            own=products,
            vectors_each=np.bincount(lines),
        )


def ask(
    queries: Iterator[Asked],
    scores: Scores,
    told: Callable[[int], object] = lambda done: done,
    together: int = ITEMS,
) -> Outcome:
    """Answer all queries of a protocol. ``told`` hears how many are answered; ``together``: items ranked at once."""
    parts: list[tuple[NDArray[Any], ...]] = []
    done = 0
    for asked in queries:
        ranked = rank(asked, scores, together)
        first = ranked.ranks.first
        parts.append((asked.names, asked.products, measure(ranked.ranks), first, ranked.best, ranked.top))
        done += len(asked)
        told(done)
    if not parts:
        nothing = np.empty(0, np.intp)
        return Outcome(nothing, nothing, np.empty((0, 5)), nothing, nothing, nothing)
    return Outcome(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _asked(
    names: NDArray[np.intp],
    products: NDArray[np.intp],
    vectors: NDArray[np.floating],
    right: NDArray[np.intp],
    counts: NDArray[np.integer],
    own: NDArray[np.intp] | None = None,
    vectors_each: NDArray[np.integer] | None = None,
) -> Asked:
    none = np.full(len(names), -1, np.intp)
    return Asked(
        names=names,
        products=products,
        vectors=vectors,
        vector_starts=_starts(np.ones(len(names), np.intp) if vectors_each is None else vectors_each),
        right=right,
        right_starts=_starts(counts),
        own=none if own is None else own,
        group=np.zeros(len(names), np.intp),
    )


def _starts(counts: NDArray[np.integer]) -> NDArray[np.intp]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)


def _ranges(starts: NDArray[np.integer], products: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of products one after the other, each with its product's place among them."""
    sizes = starts[products + 1] - starts[products]
    lines = np.repeat(np.arange(len(products)), sizes)
    before = np.cumsum(sizes) - sizes
    return lines, (np.arange(len(lines)) - before[lines] + starts[products][lines]).astype(np.intp)


def _cut(askers: NDArray[np.intp], sizes: NDArray[Any], block: BlockSize = BLOCK) -> Iterator[NDArray[np.intp]]:
    """Blocks of askers, each small in number and in the sum of its sizes."""
    first = 0
    while first < len(askers):
        within = np.cumsum(sizes[first : first + block.queries]) <= block.right
        end = first + max(1, int(np.count_nonzero(within)))
        yield askers[first:end]
        first = end
