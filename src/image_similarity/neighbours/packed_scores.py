"""A score and its row in one integer: larger is better, and equal scores fall to the smaller row, so that one partition
decides both and no two keys are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.types import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCORE_STEPS = 1_000_000  # scores count to six decimals: below that, float16 vectors and the order of sums decide
ROW_BITS = 32
LAST_ROW = (1 << ROW_BITS) - 1
LARGEST = np.iinfo(np.int64).max


def keys_of(scores: NDArray[np.floating], rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Keys of scores ``(..., n)`` of the rows ``(n,)`` or ``(..., n)``."""
    # Stored vectors are of unit length to three decimals only: no cosine is above 1.
    steps = np.rint(np.clip(scores, -1, 1) * SCORE_STEPS).astype(np.int64)
    keys: NDArray[np.int64] = (steps << ROW_BITS) + (LAST_ROW - rows.astype(np.int64))
    return keys


def largest(keys: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The ``k`` largest keys of each line, in no order; all where there are fewer."""
    surplus = keys.shape[1] - k
    return keys if surplus <= 0 else np.partition(keys, surplus - 1, axis=1)[:, surplus:]


def lowest_of(keys: NDArray[np.int64]) -> NDArray[np.float32]:
    """The score of each line's smallest key, less two steps: no lower score can have a larger key."""
    steps = keys.min(axis=1, initial=LARGEST) >> ROW_BITS
    scores: NDArray[np.float32] = ((steps - 2) / SCORE_STEPS).astype(np.float32)
    return scores


def neighbours_of(keys: NDArray[np.int64]) -> Neighbours:
    """Keys ``(queries, k)`` as rows and scores, best first."""
    keys = -np.sort(-keys, axis=1)
    return Neighbours(
        rows=(LAST_ROW - (keys & LAST_ROW)).astype(np.intp),
        scores=((keys >> ROW_BITS) / SCORE_STEPS).astype(np.float32),
    )
