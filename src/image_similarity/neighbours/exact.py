"""Exact search: compares every row with every query. The ground truth for approximate indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.float16 import to_float32
from image_similarity.neighbours.packed_scores import (
    nearest_and_close,
    neighbours_of,
    packed_scores,
    row_of,
    score_to_reach,
)
from image_similarity.neighbours.rerank import rerank
from image_similarity.neighbours.row_sets import row_set
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.types import Neighbours, RowSet

QUERY_BLOCK, ROW_BLOCK = 256, 2048  # their scores take a few MB, which stay in the processor's cache


class ExactIndex:
    """A :class:`~image_similarity.types.NeighbourIndex` that computes every score.

    Args:
        vectors: ``(n, dimension)``, float16 or float32; not copied. Pages of a memory map are released after a search
            with several queries.
        queries: the number in a block.
        rows: the number in a block.
    """

    def __init__(self, vectors: NDArray[np.floating], queries: int = QUERY_BLOCK, rows: int = ROW_BLOCK) -> None:
        self._vectors, self._query_block, self._row_block = vectors, queries, rows

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """The ``k`` rows of the highest dot product for each query, best first; equal scores by row.

        Args:
            queries: ``(m, dimension)``.
            k: rows per query; fewer where fewer are allowed.
            allowed: the rows that may be found, as a set or as a mask ``(n,)``; None: all.
        """
        rows = np.arange(len(self._vectors)) if allowed is None else np.sort(row_set(allowed).numbers())
        k = min(k, len(rows))
        found = np.empty((len(queries), k), np.int64)
        for start in range(0, len(queries) if k else 0, self._query_block):
            block = slice(start, start + self._query_block)
            found[block] = self._block(to_float32(queries[block]), k, rows)
        return neighbours_of(found)

    def _block(self, queries: NDArray[np.float32], k: int, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        best = np.empty((len(queries), 0), np.int64)
        for start in range(0, len(rows), self._row_block):
            chosen = rows[start : start + self._row_block]
            scores = queries @ to_float32(self._rows(chosen)).T
            if len(queries) > 1:  # after a single query the next one follows soon, and finds the pages in memory
                release(self._vectors[chosen[0] : chosen[-1] + 1])
            if best.shape[1] >= k:  # skips nearly all rows: they are too far from all queries
                reach = (scores >= score_to_reach(best)[:, None]).any(axis=0)
                scores, chosen = scores[:, reach], chosen[reach]
            best = nearest_and_close(np.concatenate([best, packed_scores(scores, chosen)], axis=1), k)
            if best.shape[1] > k + self._row_block // 2:  # many rows of equal scores
                best = self._settled(queries, best, k)
        return self._settled(queries, best, k)

    def _settled(self, queries: NDArray[np.float32], best: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The ``k`` best by scores that do not depend on a row's place or on the other queries, as those of a matrix
        product do in their last bits."""
        settled = rerank(self._vectors, queries, row_of(best), k)
        if len(queries) > 1:
            release(self._vectors)
        return settled

    def _rows(self, rows: NDArray[np.intp]) -> NDArray[np.floating]:
        """The vectors of some rows; a view, not a copy, where the rows are adjacent."""
        if len(rows) == rows[-1] - rows[0] + 1:
            return self._vectors[rows[0] : rows[-1] + 1]
        return self._vectors.take(rows, axis=0)
