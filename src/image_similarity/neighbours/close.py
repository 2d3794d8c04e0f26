"""The last word on candidates: the vectors as they are stored, multiplied in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.halves import single
from image_similarity.neighbours.keys import keys_of, largest

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALUES = 1 << 20  # looked at together: 4 MB in float32 stay in the processor's cache


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
        found[looked < 0] = np.iinfo(np.int64).min
        keys[start : start + together] = largest(found, k)
    return keys
