"""Scores and rows packed into one integer: one sort or one partition decides by both, equal scores fall to the smaller
row, and no two are equal."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.types import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Packed = NDArray[np.int64]

SCORE_STEPS = 1_000_000  # scores count to six decimals: below that, float16 vectors and the order of sums decide
DISTANCE_BITS = (2 * SCORE_STEPS).bit_length()
MAX_PACKED = np.iinfo(np.int64).max  # more than anything that is packed


class Packing:
    """How whole numbers, 0 or more, stand in one: ordered by the first of them, then by the second, and so on.

    Args:
        bits: of each but the first, which has what is left of 63.

    >>> pairs = Packing(8)
    >>> pairs.pack(np.array([1, 0]), np.array([7, 9])).tolist()
    [263, 9]
    >>> pairs.part(1, np.array([263, 9])).tolist()
    [7, 9]
    """

    def __init__(self, *bits: int) -> None:
        self._shifts = [*accumulate(bits[::-1], initial=0)][::-1]
        self._masks = [-1, *((1 << each) - 1 for each in bits)]

    def pack(self, first: NDArray[np.integer], *others: NDArray[np.integer]) -> Packed:
        """Arrays of the first one's shape, or such as can be brought to it."""
        packed: Packed = np.left_shift(first, self._shifts[0], dtype=np.int64)
        for part, shift in zip(others, self._shifts[1:], strict=True):
            packed |= np.left_shift(part, shift, dtype=np.int64) if shift else part
        return packed

    def part(self, place: int, packed: Packed) -> Packed:
        """The first, the second ... of what was packed, by its place from 0."""
        parts: Packed = packed >> self._shifts[place] if self._shifts[place] else packed
        if place:
            parts = parts & self._masks[place]
        return parts

    def from_first(self, first: Any) -> Any:
        """The smallest packed number of each of some first ones."""
        return first << self._shifts[0]


def steps(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Scores in whole steps."""
    # Stored vectors are of unit length to three decimals only: no cosine is above 1.
    clipped = np.clip(scores, -1, 1)
    clipped *= SCORE_STEPS
    whole: NDArray[np.int64] = np.rint(clipped, out=clipped).astype(np.int64)
    return whole


def distances(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Scores upside down, 0 for a score of 1; of :data:`DISTANCE_BITS`."""
    below = steps(scores)
    return np.subtract(SCORE_STEPS, below, out=below)


def scores_of(whole: NDArray[np.int64]) -> NDArray[np.float32]:
    """What :func:`steps` was made of, to six decimals."""
    scores: NDArray[np.float32] = (whole / SCORE_STEPS).astype(np.float32)
    return scores


# A score and a row: the larger the nearer, which partitions a sixth faster than the smaller the nearer ----------------

SCORED = Packing(32)
LAST_ROW = (1 << 32) - 1
FARTHEST = np.iinfo(np.int64).min


def packed_scores(scores: NDArray[np.floating], rows: NDArray[np.integer]) -> Packed:
    """Scores ``(..., n)`` of the rows ``(n,)`` or ``(..., n)``."""
    return packed_steps(steps(scores), rows)


def packed_steps(whole: NDArray[np.int64], rows: NDArray[np.integer]) -> Packed:
    """The same of :func:`steps`."""
    return SCORED.pack(whole, LAST_ROW - rows.astype(np.int64))


def nearest(packed: Packed, k: int) -> Packed:
    """The ``k`` nearest of each line, in no order; all where there are fewer."""
    surplus = packed.shape[1] - k
    return packed if surplus <= 0 else np.partition(packed, surplus - 1, axis=1)[:, surplus:]


def score_to_reach(packed: Packed) -> NDArray[np.float32]:
    """The score of each line's farthest, less two steps: no lower score can be nearer."""
    return scores_of(SCORED.part(0, packed.min(axis=1, initial=MAX_PACKED)) - 2)


def neighbours_of(packed: Packed) -> Neighbours:
    """Packed scores ``(queries, k)`` as rows and scores, best first."""
    packed = -np.sort(-packed)
    rows = LAST_ROW - SCORED.part(1, packed)
    return Neighbours(rows=rows.astype(np.intp), scores=scores_of(SCORED.part(0, packed)))
