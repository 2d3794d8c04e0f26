"""Where the right answers stand among all answers: exactly, in memory that does not grow with the catalogue.

No ranking is sorted. A right answer's rank is the number of answers that are better, so the scores of a block of
queries are computed a block of rows at a time and counted.
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
class Asked:
    """A block of queries. An item is what is ranked: an image (a row of the gallery) or a product.

    Attributes:
        names: ``(queries,)``, what asks: rows, photos or products by number.
        products: ``(queries,)``, the product that each is about: what the bootstrap draws.
        vectors: ``(vectors, dimension)``, the vectors that ask.
        vector_starts: ``(queries + 1,)``, whose images are whose.
        right: the items that are right answers, query by query, ascending.
        right_starts: ``(queries + 1,)``; each query has one right answer or more.
        own: ``(queries,)``, the item that is no answer, being the query itself; -1 for none.
        group: ``(queries,)``: items of the same group in ``item_group`` are no answers; 0 leaves all in.
    """

    names: NDArray[np.intp]
    products: NDArray[np.intp]
    vectors: NDArray[np.floating]
    vector_starts: NDArray[np.intp]
    right: NDArray[np.intp]
    right_starts: NDArray[np.intp]
    own: NDArray[np.intp]
    group: NDArray[np.integer]
    item_group: NDArray[np.integer] | None = None

    def __len__(self) -> int:
        return len(self.names)


class Scores(Protocol):
    """The cosines of a block's queries with a run of items."""

    def __len__(self) -> int: ...

    def block(self, asked: Asked, first: int, end: int) -> NDArray[np.float32]:
        """``(queries, end - first)``."""
        ...


@dataclass(frozen=True, slots=True)
class Ranked:
    """The answers to a block of queries, as far as measures and a page need them.

    Attributes:
        ranks: of the right answers.
        best: ``(queries,)``, the right answer that stands first.
        top: ``(queries,)``, the item that stands first; the same where the query is answered.
    """

    ranks: Ranks
    best: NDArray[np.intp]
    top: NDArray[np.intp]


class ImageScores:
    """Each image by itself, by its dot product with the query's image; of several images the best.

    Args:
        vectors: ``(rows, dimension)``, mapped or in memory.
    """

    def __init__(self, vectors: NDArray[np.floating]) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def block(self, asked: Asked, first: int, end: int) -> NDArray[np.float32]:
        """``(queries, end - first)``."""
        scores: NDArray[np.float32] = to_float32(asked.vectors) @ to_float32(self._vectors[first:end]).T
        release(self._vectors[first:end])
        return _best_vector(scores, asked)


class ProductScores:
    """Each product by its best pair of images: the aggregate ``best``.

    Args:
        vectors: ``(rows, dimension)``, product by product.
        starts: ``(products + 1,)``, the first row of each.
    """

    def __init__(self, vectors: NDArray[np.floating], starts: NDArray[np.integer]) -> None:
        self._vectors, self._starts = vectors, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    def block(self, asked: Asked, first: int, end: int) -> NDArray[np.float32]:
        """``(queries, end - first)``."""
        bounds = np.asarray(self._starts[first : end + 1])
        vectors = self._vectors[bounds[0] : bounds[-1]]
        scores = to_float32(asked.vectors) @ to_float32(vectors).T
        release(vectors)
        return _best_vector(np.maximum.reduceat(scores, bounds[:-1] - bounds[0], axis=1), asked)


def rank(asked: Asked, scores: Scores, together: int = ITEMS) -> Ranked:
    """The exact ranks of a block's right answers; equal scores fall to the smaller item.

    ``together``: items that are ranked at once.
    """
    answers = Packing(max(len(scores), 1).bit_length())  # a distance and an item
    lines = np.repeat(np.arange(len(asked)), np.diff(asked.right_starts))
    right = answers.pack(distances(_scores_of_right(asked, scores, lines, together)), asked.right)
    order = np.lexsort((right, lines))
    right = right[order]
    top = right[asked.right_starts[:-1]].copy()
    farthest = right[asked.right_starts[1:] - 1]
    # One step lower than the worst right answer: what is below cannot be before it, and is not packed.
    reach = scores_of(SCORE_STEPS - answers.part(0, farthest) - 1)
    # The query before the answer in one integer: one search in one sorted list counts for all queries at once.
    asking = Packing(DISTANCE_BITS + max(len(scores), 1).bit_length())
    listed = asking.pack(lines, right)
    better = np.zeros(len(listed), np.int64)
    for first, end in _blocks(len(scores), together):
        query, rivals = _rivals(asked, scores, (first, end), reach, answers)
        np.minimum.at(top, query, rivals)
        before = rivals < farthest[query]
        wrong = asking.pack(query[before], rivals[before])
        better += np.bincount(np.searchsorted(listed, wrong), minlength=len(listed))
    best = asked.right[order][asked.right_starts[:-1]]
    ranks = Ranks(asked.right_starts, _summed(better, asked.right_starts))
    return Ranked(ranks, best, answers.part(1, top).astype(np.intp))


def _scores_of_right(asked: Asked, scores: Scores, lines: NDArray[np.intp], together: int) -> NDArray[np.float32]:
    """Of each right answer, out of the same blocks as its rivals' scores: sums in another order may differ."""
    found = np.empty(len(asked.right), np.float32)
    for first, end in _blocks(len(scores), together):
        here = np.flatnonzero((asked.right >= first) & (asked.right < end))
        if len(here):  # mostly they stand in a block or two
            found[here] = scores.block(asked, first, end)[lines[here], asked.right[here] - first]
    return found


def _rivals(
    asked: Asked, scores: Scores, block: tuple[int, int], reach: NDArray[np.float32], answers: Packing
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The wrong answers of a block of items that score ``reach`` or more: queries and packed answers."""
    first, end = block
    cosines = scores.block(asked, first, end)
    near = cosines >= reach[:, None]
    if asked.item_group is not None:
        group = asked.group[:, None]
        near &= (group == 0) | (asked.item_group[None, first:end] != group)
    lines = np.repeat(np.arange(len(asked)), np.diff(asked.right_starts))
    for queries, items in ((np.arange(len(asked)), asked.own), (lines, asked.right)):
        here = (items >= first) & (items < end)
        near[queries[here], items[here] - first] = False
    query, column = np.nonzero(near)
    return query, answers.pack(distances(cosines[query, column]), column + first)


def _summed(better: NDArray[np.int64], starts: NDArray[np.intp]) -> NDArray[np.int64]:
    """Wrong answers before each right one, and the right ones before it."""
    total = np.cumsum(better)
    counts = np.diff(starts)
    before = np.repeat(total[starts[:-1]] - better[starts[:-1]], counts)
    ranks: NDArray[np.int64] = total - before + np.arange(len(better)) - np.repeat(starts[:-1], counts)
    return ranks


def _best_vector(scores: NDArray[np.float32], asked: Asked) -> NDArray[np.float32]:
    if len(scores) == len(asked):
        return scores
    best: NDArray[np.float32] = np.maximum.reduceat(scores, asked.vector_starts[:-1], axis=0)
    return best


def _blocks(items: int, together: int) -> Iterator[tuple[int, int]]:
    for first in range(0, items, together):
        yield first, min(first + together, items)
