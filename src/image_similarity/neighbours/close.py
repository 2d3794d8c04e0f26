"""The last word on candidates: the vectors as they are stored, multiplied in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.mapped import let_go
from image_similarity.neighbours.halves import single
from image_similarity.neighbours.keys import keys_of, largest

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES = 1 << 20  # looked at together: 4 MB in float32 stay in the processor's cache
VALUES_IN_ORDER = 1 << 18  # of the candidates, and as many of the queries
NONE = np.iinfo(np.int64).min  # the key of no candidate


def closest(
    vectors: NDArray[np.floating], queries: NDArray[np.floating], rows: NDArray[np.integer], k: int
) -> NDArray[np.int64]:
    """The keys of the ``k`` best of each query's candidates, ``(queries, k)``, in no order.

    Args:
        vectors: ``(n, dimension)``.
        queries: ``(m, dimension)``.
        rows: ``(m, c)``, the candidates; -1 where there are fewer than ``c``, but at least ``k`` of them in each line.
        k: rows wanted.
    """
    keys = np.empty((len(queries), k), np.int64)
    together = max(1, VALUES // max(1, rows.shape[1] * vectors.shape[1]))
    for start in range(0, len(queries), together):
        looked, asked = rows[start : start + together], single(queries[start : start + together])
        candidates = single(vectors[looked.reshape(-1)]).reshape(*looked.shape, -1)
        scores = np.matmul(candidates, asked[:, :, None])[:, :, 0]
        found = keys_of(scores, looked)
        found[looked < 0] = NONE
        keys[start : start + together] = largest(found, k)
    return keys


def closest_in_order(
    vectors: NDArray[np.floating], queries: NDArray[np.floating], rows: NDArray[np.integer], k: int
) -> NDArray[np.int64]:
    """As :func:`closest`, for many queries: ``vectors`` is read from its first row to its last, each row once or not.

    What was read of a memory map is given back, so that what is held does not grow with it.
    """
    keys = np.full(rows.shape, NONE, np.int64)
    looked, found = rows.reshape(-1), keys.reshape(-1)
    places = np.flatnonzero(looked >= 0)
    places = places[np.argsort(looked[places], kind="stable")]
    asked = single(queries)
    together = max(1, VALUES_IN_ORDER // vectors.shape[1])
    for start in range(0, len(places), together):
        some = places[start : start + together]
        chosen = looked[some]
        scores = np.vecdot(single(vectors[chosen]), asked[some // rows.shape[1]])
        found[some] = keys_of(scores, chosen)
        let_go(vectors[chosen[0] : chosen[-1] + 1])
    return largest(keys, k)
