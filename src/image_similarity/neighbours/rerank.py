"""The last word on candidates: the vectors as they are stored, multiplied in float32."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.cells.components import dots
from image_similarity.neighbours.float16 import to_float32, write_float32
from image_similarity.neighbours.packed_scores import FARTHEST, nearest, packed_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES = 1 << 20  # looked at together: 4 MB in float32 stay in the processor's cache
AT_FIRST = 24  # candidates
FAR_OFF = 2.5


class _Held(threading.local):
    """Memory of a thread's own, for rows that are taken out of a matrix and looked at.

    It is kept: what is freed after each query goes back to the system, and its pages come anew with the next one,
    which took a third of a search's time.
    """

    def __init__(self) -> None:
        self._halves, self._singles = np.empty(0, np.float16), np.empty(0, np.float32)

    def singles(self, vectors: NDArray[np.floating], rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Rows of a matrix as ``float32``, good until this thread's next call. A row of -1 is some row."""
        shape = len(rows), vectors.shape[1]
        size = shape[0] * shape[1]
        if self._singles.size < size:
            self._halves, self._singles = np.empty(size, np.float16), np.empty(size, np.float32)
        singles = self._singles[:size].reshape(shape)
        if vectors.dtype != np.float16:
            return vectors.take(rows, axis=0, out=singles, mode="clip")
        halves = self._halves[:size].reshape(shape)
        write_float32(vectors.take(rows, axis=0, out=halves, mode="clip"), singles)
        return singles


_HELD = _Held()


def rerank(
    vectors: NDArray[np.floating], queries: NDArray[np.floating], rows: NDArray[np.integer], k: int
) -> NDArray[np.int64]:
    """The packed scores of the ``k`` best of each query's candidates, ``(queries, k)``, in no order.

    Args:
        vectors: ``(n, dimension)``.
        queries: ``(m, dimension)``.
        rows: ``(m, c)``, the candidates; -1 where there are fewer than ``c``, but at least ``k`` of them in each line.
        k: rows wanted.
    """
    found = np.empty((len(queries), k), np.int64)
    together = max(1, VALUES // max(1, rows.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), together):
        looked, asked = rows[start : start + together], to_float32(queries[start : start + together])
        candidates = _HELD.singles(vectors, looked.reshape(-1)).reshape(*looked.shape, -1)
        scores = np.matmul(candidates, asked[:, :, None])[:, :, 0]
        packed = packed_scores(scores, looked)
        packed[looked < 0] = FARTHEST
        found[start : start + together] = nearest(packed, k)
    return found


def rerank_shared(
    vectors: NDArray[np.floating], queries: NDArray[np.float32], rows: NDArray[np.intp], k: int
) -> NDArray[np.int64]:
    """As :func:`rerank` where the candidates of all queries are the same few rows ``(c,)``, at least ``k``."""
    candidates, found = _HELD.singles(vectors, rows), np.empty((len(queries), k), np.int64)
    for line, query in zip(found, queries, strict=True):
        line[:] = nearest(packed_scores(dots(candidates, query), rows)[None], k)[0]
    return found


def rerank_query(
    vectors: NDArray[np.floating],
    query: NDArray[np.float32],
    candidates: tuple[NDArray[np.integer], NDArray[np.float32]],
    k: int,
) -> NDArray[np.int64]:
    """As :func:`rerank` for one query ``(dimension,)``, without a close look at candidates that look too far away.

    The first ones say how far off their looks are. Of the others, those get a close look that could be among the ``k``
    best if their looks are off by up to ``FAR_OFF`` standard deviations.

    Args:
        vectors: ``(n, dimension)``.
        query: ``(dimension,)``.
        candidates: ``(c,)`` rows, at least ``k``, and the scores that they seem to have, best first.
        k: rows wanted, at least 1.
    """
    rows, looks = candidates
    first = max(AT_FIRST, k + k // 2)
    exact = dots(_HELD.singles(vectors, rows[:first]), query)
    if len(rows) > first:
        off = exact - looks[:first]
        lowest = np.partition(exact, len(exact) - k)[len(exact) - k]
        reach = looks[first:] >= lowest - (off.mean() + FAR_OFF * off.std())
        more = int(np.count_nonzero(reach))  # best first: they are the first ones
        exact = np.concatenate([exact, dots(_HELD.singles(vectors, rows[first : first + more]), query)])
        rows = rows[: first + more]
    best: NDArray[np.int64] = nearest(packed_scores(exact, rows)[None], k)[0]
    return best
