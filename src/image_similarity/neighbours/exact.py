"""Every row against every query: no index is more right, and this one judges the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.types import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUERY_BLOCK, ROW_BLOCK = 256, 16_384  # 17 MB of scores at a time, whatever the catalogue's size
SCORE_STEPS = 1_000_000  # scores count to six decimals: below that, float16 vectors and the order of sums decide
ROW_BITS = 32


class ExactIndex:
    """A :class:`~image_similarity.types.NeighbourIndex` that computes every score.

    Args:
        vectors: ``(n, dimension)``, float16 or float32; kept as it is, not copied.
    """

    def __init__(self, vectors: NDArray[np.floating]) -> None:
        self._vectors = vectors

    def search(self, queries: NDArray[np.floating], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """The ``k`` rows of the highest dot product for each query, best first; equal scores by row.

        Args:
            queries: ``(m, dimension)``.
            k: rows wanted; never more come back than are allowed.
            allowed: ``(n,)``, the rows that may be found; None: all.
        """
        rows = np.arange(len(self._vectors)) if allowed is None else np.flatnonzero(allowed)
        k = min(k, len(rows))
        keys = np.empty((len(queries), k), np.int64)
        for start in range(0, len(queries), QUERY_BLOCK):
            keys[start : start + QUERY_BLOCK] = self._block(queries[start : start + QUERY_BLOCK], k, rows)
        return Neighbours(rows=_row(keys), scores=_score(keys))

    def _block(self, queries: NDArray[np.floating], k: int, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        queries = queries.astype(np.float32)
        best = np.empty((len(queries), 0), np.int64)
        for start in range(0, len(rows), ROW_BLOCK):
            chosen = rows[start : start + ROW_BLOCK]
            scores = queries @ self._rows(chosen).astype(np.float32).T
            best = _largest(np.concatenate([best, _key(scores, chosen)], axis=1), k)
        return -np.sort(-best, axis=1)

    def _rows(self, rows: NDArray[np.intp]) -> NDArray[np.floating]:
        """A slice where the rows are adjacent: no copy."""
        if len(rows) == rows[-1] - rows[0] + 1:
            return self._vectors[rows[0] : rows[-1] + 1]
        return self._vectors[rows]


# A score and its row in one integer: larger is better, and equal scores fall to the smaller row, so that one partition
# decides both and no two keys are equal.


def _key(scores: NDArray[np.floating], rows: NDArray[np.intp]) -> NDArray[np.int64]:
    # Stored vectors are of unit length to three decimals only: no cosine is above 1.
    steps = np.rint(np.clip(scores, -1, 1) * SCORE_STEPS).astype(np.int64)
    keys: NDArray[np.int64] = (steps << ROW_BITS) + ((1 << ROW_BITS) - 1 - rows.astype(np.int64))
    return keys


def _row(keys: NDArray[np.int64]) -> NDArray[np.intp]:
    return ((1 << ROW_BITS) - 1 - (keys & ((1 << ROW_BITS) - 1))).astype(np.intp)


def _score(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    return ((keys >> ROW_BITS) / SCORE_STEPS).astype(np.float32)


def _largest(keys: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    surplus = keys.shape[1] - k
    if surplus <= 0:
        return keys
    return np.partition(keys, surplus - 1, axis=1)[:, surplus:]
