"""The queries of each protocol and their right answers, in blocks, so that memory does not grow with the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.quality.evaluation.metrics import measure
from image_similarity.quality.evaluation.ranks import ITEMS, QUERIES, QueryBlock, Scores, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

RIGHT = 1_000_000  # right answers in one block


@dataclass(frozen=True, slots=True)
class BlockSize:
    """The limits of a block: its queries, and the right answers of all of them.

    So the images of a product with very many come in smaller blocks.
    """

    queries: int = QUERIES
    right: int = RIGHT


BLOCK = BlockSize()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The gallery: one row per image, product by product.

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
    """The results of queries, in their order.

    Attributes:
        numbers: ``(queries,)``, the query's row, photo or product.
        products: ``(queries,)``, the product of the query.
        values: ``(queries, 5)``, as :data:`~image_similarity.quality.evaluation.metrics.METRICS`.
        first: ``(queries,)``, the rank from 0 of the first right answer.
        best, top: ``(queries,)``, the item of the first right answer, and of the first answer.
    """

    numbers: NDArray[np.intp]
    products: NDArray[np.intp]
    values: NDArray[np.float64]
    first: NDArray[np.int64]
    best: NDArray[np.intp]
    top: NDArray[np.intp]


def leave_one_image_out(
    catalogue: Catalogue,
    values: NDArray[np.integer] | None = None,
    query_rows: NDArray[np.integer] | None = None,
    block: BlockSize = BLOCK,
) -> Iterator[QueryBlock]:
    """Each image is a query, and its product's other images are right; the image itself is left out.

    Args:
        catalogue: the gallery.
        values: ``(rows,)``, a number for each value of an attribute, 0 for none: images of any product with the
            query's own value are left out too. For a query without a value, none are.
        query_rows: the rows that are queries, ascending; None: all of products with several.
        block: the limits of a block.

    A query without a right answer left is skipped.
    """
    starts = np.asarray(catalogue.starts)
    if query_rows is None:
        query_rows = np.flatnonzero(np.diff(starts)[catalogue.row_product] > 1)
    owners = np.asarray(catalogue.row_product)[query_rows].astype(np.intp)
    for rows in _split(np.asarray(query_rows, np.intp), starts[owners + 1] - starts[owners], block):
        lines, right = _ranges(starts, np.asarray(catalogue.row_product)[rows])
        keep = right != rows[lines]
        if values is not None:
            keep &= (values[rows][lines] == 0) | (values[right] != values[rows][lines])
        counts = np.bincount(lines[keep], minlength=len(rows))
        rows = rows[counts > 0]
        if len(rows):
            products = np.asarray(catalogue.row_product)[rows].astype(np.intp)
            queries = _block(rows, products, catalogue.vectors[rows], right[keep], counts[counts > 0], own=rows)
            yield queries if values is None else replace(queries, group=values[rows], item_group=values)


def simulated(
    catalogue: Catalogue, vectors: NDArray[np.floating], sources: NDArray[np.integer]
) -> Iterator[QueryBlock]:
    """Each simulated photo is a query, and all images of its product are right, except the photo's own image.

    That image is left out, unless its product has no other: then it is the right answer.

    Args:
        catalogue: the gallery.
        vectors: ``(photos, dimension)``.
        sources: ``(photos,)``, the row of the image that each was made from.
    """
    starts = np.asarray(catalogue.starts)
    owners = np.asarray(catalogue.row_product)[sources].astype(np.intp)
    sizes = starts[owners + 1] - starts[owners]
    for numbers in _split(np.arange(len(vectors)), sizes):
        own, alone = np.asarray(sources, np.intp)[numbers], sizes[numbers] == 1
        lines, right = _ranges(starts, owners[numbers])
        keep = (right != own[lines]) | alone[lines]
        counts = np.bincount(lines[keep], minlength=len(numbers))
        yield _block(numbers, owners[numbers], vectors[numbers], right[keep], counts, own=np.where(alone, -1, own))


def photos(
    catalogue: Catalogue, vectors: NDArray[np.floating], right_products: Sequence[Sequence[int]]
) -> Iterator[QueryBlock]:
    """Each photo from outside is a query, and all images of its products are right.

    Args:
        catalogue: the gallery.
        vectors: ``(photos, dimension)``.
        right_products: the products of each photo by number, at least one; the first counts as the query's product.
    """
    starts = np.asarray(catalogue.starts)
    for numbers in _split(np.arange(len(vectors)), np.ones(len(vectors))):
        rows = []
        for number in numbers:
            _, found = _ranges(starts, np.unique(right_products[number]))
            rows.append(found)
        products = np.array([right_products[number][0] for number in numbers], np.intp)
        counts = np.array([len(each) for each in rows])
        yield _block(numbers, products, vectors[numbers], np.concatenate(rows), counts)


def picks(catalogue: Catalogue, similar: Mapping[int, Sequence[int]]) -> Iterator[QueryBlock]:
    """Each product with all of its images is a query, and the products picked for it by hand are right.

    Args:
        catalogue: the gallery.
        similar: product to products, by number, at least one for each and not itself.
    """
    starts = np.asarray(catalogue.starts)
    query_products = np.array(sorted(similar), np.intp)
    for products in _split(query_products, np.diff(starts)[query_products]):
        lines, rows = _ranges(starts, products)
        right = [np.unique(similar[product]) for product in products]
        yield _block(
            products,
            products,
            catalogue.vectors[rows],
            np.concatenate(right),
            np.array([len(each) for each in right]),
            own=products,
            vectors_each=np.bincount(lines),
        )


def rank_queries(
    queries: Iterator[QueryBlock],
    scores: Scores,
    on_progress: Callable[[int], object] = lambda done: done,
    block_items: int = ITEMS,
) -> Outcome:
    """Rank and measure all queries of a protocol.

    ``on_progress`` gets the number of queries done; ``block_items``: see :func:`rank`.
    """
    parts: list[tuple[NDArray[Any], ...]] = []
    done = 0
    for block in queries:
        ranked = rank(block, scores, block_items)
        first = ranked.ranks.first
        parts.append((block.numbers, block.products, measure(ranked.ranks), first, ranked.best, ranked.top))
        done += len(block)
        on_progress(done)
    if not parts:
        nothing = np.empty(0, np.intp)
        return Outcome(nothing, nothing, np.empty((0, 5)), nothing, nothing, nothing)
    return Outcome(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _block(
    numbers: NDArray[np.intp],
    products: NDArray[np.intp],
    vectors: NDArray[np.floating],
    right: NDArray[np.intp],
    counts: NDArray[np.integer],
    own: NDArray[np.intp] | None = None,
    vectors_each: NDArray[np.integer] | None = None,
) -> QueryBlock:
    none = np.full(len(numbers), -1, np.intp)
    return QueryBlock(
        numbers=numbers,
        products=products,
        vectors=vectors,
        vector_starts=_starts(np.ones(len(numbers), np.intp) if vectors_each is None else vectors_each),
        right=right,
        right_starts=_starts(counts),
        own=none if own is None else own,
        group=np.zeros(len(numbers), np.intp),
    )


def _starts(counts: NDArray[np.integer]) -> NDArray[np.intp]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)


def _ranges(starts: NDArray[np.integer], products: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of products one after the other, and for each row the position of its product in ``products``."""
    sizes = starts[products + 1] - starts[products]
    lines = np.repeat(np.arange(len(products)), sizes)
    before = np.cumsum(sizes) - sizes
    return lines, (np.arange(len(lines)) - before[lines] + starts[products][lines]).astype(np.intp)


def _split(queries: NDArray[np.intp], sizes: NDArray[Any], block: BlockSize = BLOCK) -> Iterator[NDArray[np.intp]]:
    """Split queries into blocks of a bounded number and a bounded sum of sizes; at least one query each."""
    first = 0
    while first < len(queries):
        within = np.cumsum(sizes[first : first + block.queries]) <= block.right
        end = first + max(1, int(np.count_nonzero(within)))
        yield queries[first:end]
        first = end
