"""Re-rank candidates by the dot products of the stored vectors in float32.

``np.vecdot`` sums a row's products without regard to other rows, so that equal rows have equal scores. A matrix product
rounds them by their place in the matrix, on some processors.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.float16 import to_float32, write_float32
from image_similarity.neighbours.packed_scores import FARTHEST, nearest, packed_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES = 1 << 20  # multiplied together: 4 MB in float32 stay in the processor's cache
AT_FIRST = 24  # candidates
MAX_DEVIATION = 2.5  # standard deviations


class _Buffers(threading.local):
    """Buffers for rows that are taken out of a matrix, for each thread its own.

    They are kept, because allocating them for each query took a third of a search's time: freed memory goes back to the
    system, page by page.
    """

    def __init__(self) -> None:
        self._float16, self._float32 = np.empty(0, np.float16), np.empty(0, np.float32)

    def take(self, vectors: NDArray[np.floating], rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Rows of a matrix as ``float32``, valid until this thread's next call. For a row of -1, any row."""
        shape = len(rows), vectors.shape[1]
        size = shape[0] * shape[1]
        if self._float32.size < size:
            self._float16, self._float32 = np.empty(size, np.float16), np.empty(size, np.float32)
        taken = self._float32[:size].reshape(shape)
        if vectors.dtype != np.float16:
            return vectors.take(rows, axis=0, out=taken, mode="clip")
        stored = self._float16[:size].reshape(shape)
        write_float32(vectors.take(rows, axis=0, out=stored, mode="clip"), taken)
        return taken


_BUFFERS = _Buffers()


def rerank(
    vectors: NDArray[np.floating], queries: NDArray[np.floating], rows: NDArray[np.integer], k: int
) -> NDArray[np.int64]:
    """The packed scores of the ``k`` best of each query's candidates, ``(queries, k)``, unsorted.

    Args:
        vectors: ``(n, dimension)``.
        queries: ``(m, dimension)``.
        rows: ``(m, c)``, the candidates; -1 where a query has fewer than ``c``, but each has at least ``k``.
        k: rows per query.
    """
    found = np.empty((len(queries), k), np.int64)
    together = max(1, VALUES // max(1, rows.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), together):
        some, block = rows[start : start + together], to_float32(queries[start : start + together])
        candidates = _BUFFERS.take(vectors, some.reshape(-1)).reshape(*some.shape, -1)
        scores = np.vecdot(candidates, block[:, None])
        packed = packed_scores(scores, some)
        packed[some < 0] = FARTHEST
        found[start : start + together] = nearest(packed, k)
    return found


def rerank_shared(
    vectors: NDArray[np.floating], queries: NDArray[np.float32], rows: NDArray[np.intp], k: int
) -> NDArray[np.int64]:
    """As :func:`rerank`, with the same few candidates ``(c,)`` for all queries, at least ``k``."""
    candidates, found = _BUFFERS.take(vectors, rows), np.empty((len(queries), k), np.int64)
    for line, query in zip(found, queries, strict=True):
        line[:] = nearest(packed_scores(np.vecdot(candidates, query), rows)[None], k)[0]
    return found


def rerank_query(
    vectors: NDArray[np.floating],
    query: NDArray[np.float32],
    candidates: tuple[NDArray[np.integer], NDArray[np.float32]],
    k: int,
) -> NDArray[np.int64]:
    """As :func:`rerank` for one query ``(dimension,)``, but skips candidates whose approximate scores are too low.

    The error of the approximate scores is measured on the first candidates. Of the others, those are re-ranked that
    could be among the ``k`` best if the error is at most its mean plus ``MAX_DEVIATION`` standard deviations.

    Args:
        vectors: ``(n, dimension)``.
        query: ``(dimension,)``.
        candidates: ``(c,)`` rows, at least ``k``, and their approximate scores, best first.
        k: number of rows, at least 1.
    """
    rows, approximate = candidates
    first = max(AT_FIRST, k + k // 2)
    exact = np.vecdot(_BUFFERS.take(vectors, rows[:first]), query)
    if len(rows) > first:
        error = exact - approximate[:first]
        lowest = np.partition(exact, len(exact) - k)[len(exact) - k]
        reach = approximate[first:] >= lowest - (error.mean() + MAX_DEVIATION * error.std())
        more = int(np.count_nonzero(reach))  # the first ones, since they are sorted
        exact = np.concatenate([exact, np.vecdot(_BUFFERS.take(vectors, rows[first : first + more]), query)])
        rows = rows[: first + more]
    best: NDArray[np.int64] = nearest(packed_scores(exact, rows)[None], k)[0]
    return best
