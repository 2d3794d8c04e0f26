"""Exact ranks of the right answers among all answers, in memory that does not grow with the catalogue.

No ranking is sorted. A right answer's rank is the number of better answers, so the scores of a block of queries are
computed a block of rows at a time and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from image_similarity.neighbours import DISTANCE_BITS, SCORE_STEPS, Packing, distances, scores_of, to_float32
from image_similarity.quality.evaluation.metrics import Ranks
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

QUERIES, ITEMS = 256, 2048  # in one block: a few MB of scores


@dataclass(frozen=True, slots=True)
class QueryBlock:
    """A block of queries. An item is what is ranked: an image (a row of the gallery) or a product.

    Attributes:
        numbers: ``(queries,)``, the row, photo or product of each query.
        products: ``(queries,)``, the product of each query: what the bootstrap draws.
        vectors: ``(vectors, dimension)``, of the queries' images.
        vector_starts: ``(queries + 1,)``, where the vectors of each query begin, and the end.
        right: the items that are right answers, query by query, ascending.
        right_starts: ``(queries + 1,)``, likewise; each query has at least one right answer.
        own: ``(queries,)``, the item that is the query itself and left out; -1 for none.
        group: ``(queries,)``: items of the same group in ``item_group`` are left out; 0 leaves out none.
    """

    numbers: NDArray[np.intp]
    products: NDArray[np.intp]
    vectors: NDArray[np.floating]
    vector_starts: NDArray[np.intp]
    right: NDArray[np.intp]
    right_starts: NDArray[np.intp]
    own: NDArray[np.intp]
    group: NDArray[np.integer]
    item_group: NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.numbers)


class Scores(Protocol):
    """Scores queries against items, a run of items at a time; its length is the number of items."""

    def __len__(self) -> int: ...

    def block(self, queries: QueryBlock, first: int, end: int) -> NDArray[np.float32]:
        """The cosines with the items ``first`` to ``end``, ``(queries, end - first)``."""
        ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answers to a block of queries, as far as metrics and a page need them.

    Attributes:
        ranks: of the right answers.
        best: ``(queries,)``, the right answer with the best rank.
        top: ``(queries,)``, the item at rank 0; equal to ``best`` if a right answer comes first.
    """

    ranks: Ranks
    best: NDArray[np.intp]
    top: NDArray[np.intp]


class ImageScores:
    """Scores each image by its dot product with the query's image; with several query images, the best.

    Args:
        vectors: ``(rows, dimension)``, mapped or in memory.
    """

    def __init__(self, vectors: NDArray[np.floating]) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def block(self, queries: QueryBlock, first: int, end: int) -> NDArray[np.float32]:
        """``(queries, end - first)``."""
        scores: NDArray[np.float32] = to_float32(queries.vectors) @ to_float32(self._vectors[first:end]).T
        release(self._vectors[first:end])
        return _best_vector(scores, queries)


class ProductScores:
    """Scores each product by its best pair of images: the aggregate ``best``.

    Args:
        vectors: ``(rows, dimension)``, product by product.
        starts: ``(products + 1,)``, the first row of each.
    """

    def __init__(self, vectors: NDArray[np.floating], starts: NDArray[np.integer]) -> None:
        self._vectors, self._starts = vectors, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def block(self, queries: QueryBlock, first: int, end: int) -> NDArray[np.float32]:
        """``(queries, end - first)``."""
        bounds = np.asarray(self._starts[first : end + 1])
        vectors = self._vectors[bounds[0] : bounds[-1]]
        scores = to_float32(queries.vectors) @ to_float32(vectors).T
        release(vectors)
        return _best_vector(np.maximum.reduceat(scores, bounds[:-1] - bounds[0], axis=1), queries)


def rank(queries: QueryBlock, scores: Scores, block_items: int = ITEMS) -> Ranked:
    """The exact ranks of a block's right answers; ties go to the smaller item.

    ``block_items``: how many items are scored at a time.
    """
    answers = Packing(max(len(scores), 1).bit_length())  # a distance and an item
    lines = np.repeat(np.arange(len(queries)), np.diff(queries.right_starts))
    right = answers.pack(distances(_scores_of_right(queries, scores, lines, block_items)), queries.right)
    order = np.lexsort((right, lines))
    right = right[order]
    top = right[queries.right_starts[:-1]].copy()
    farthest = right[queries.right_starts[1:] - 1]
    # One step below the worst right answer: anything lower cannot come before it, and is not packed.
    lowest = scores_of(SCORE_STEPS - answers.part(0, farthest) - 1)
    # Query and answer packed in one integer: one search in one sorted list counts for all queries at once.
    by_query = Packing(DISTANCE_BITS + max(len(scores), 1).bit_length())
    listed = by_query.pack(lines, right)
    better = np.zeros(len(listed), np.int64)
    for first, end in _blocks(len(scores), block_items):
        query, rivals = _rivals(queries, scores, (first, end), lowest, answers)
        np.minimum.at(top, query, rivals)
        before = rivals < farthest[query]
        wrong = by_query.pack(query[before], rivals[before])
        better += np.bincount(np.searchsorted(listed, wrong), minlength=len(listed))
    best = queries.right[order][queries.right_starts[:-1]]
    ranks = Ranks(queries.right_starts, _summed(better, queries.right_starts))
    return Ranked(ranks, best, answers.part(1, top).astype(np.intp))


def _scores_of_right(
    queries: QueryBlock, scores: Scores, lines: NDArray[np.intp], block_items: int
) -> NDArray[np.float32]:
    """The scores of the right answers, from the same blocks as their rivals': sums in another order may differ."""
    found = np.empty(len(queries.right), np.float32)
    for first, end in _blocks(len(scores), block_items):
        here = np.flatnonzero((queries.right >= first) & (queries.right < end))
        if len(here):  # usually in a block or two only
            found[here] = scores.block(queries, first, end)[lines[here], queries.right[here] - first]
    return found


def _rivals(
    queries: QueryBlock, scores: Scores, block: tuple[int, int], lowest: NDArray[np.float32], answers: Packing
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The wrong answers of a block of items that score ``lowest`` or more: queries and packed answers."""
    first, end = block
    cosines = scores.block(queries, first, end)
    near = cosines >= lowest[:, None]
    if queries.item_group is not None:
        group = queries.group[:, None]
        near &= (group == 0) | (queries.item_group[None, first:end] != group)
    lines = np.repeat(np.arange(len(queries)), np.diff(queries.right_starts))
    for lines_of, items in ((np.arange(len(queries)), queries.own), (lines, queries.right)):
        here = (items >= first) & (items < end)
        near[lines_of[here], items[here] - first] = False
    query, column = np.nonzero(near)
    return query, answers.pack(distances(cosines[query, column]), column + first)


def _summed(better: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[np.int64]:
    """The rank of each right answer: the wrong answers before it, plus the right ones before it."""
    total = np.cumsum(better)
    counts = np.diff(starts)
    before = np.repeat(total[starts[:-1]] - better[starts[:-1]], counts)
    ranks: NDArray[np.int64] = total - before + np.arange(len(better)) - np.repeat(starts[:-1], counts)
    return ranks


def _best_vector(scores: NDArray[np.float32], queries: QueryBlock) -> NDArray[np.float32]:
    """The best score over each query's vectors: ``(vectors, items)`` to ``(queries, items)``."""
    if len(scores) == len(queries):
        return scores
    best: NDArray[np.float32] = np.maximum.reduceat(scores, queries.vector_starts[:-1], axis=0)
    return best


def _blocks(items: int, block_items: int) -> Iterator[tuple[int, int]]:
    for first in range(0, items, block_items):
        yield first, min(first + block_items, items)
