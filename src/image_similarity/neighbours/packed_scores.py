"""Pack a score and a row into one integer: one sort or partition orders by score, then by the smaller row."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.types import Neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Packed = NDArray[np.int64]

SCORE_STEPS = 1_000_000  # six decimals: digits below depend on the rounding to float16 and the order of sums
DISTANCE_BITS = (2 * SCORE_STEPS).bit_length()
MAX_PACKED = np.iinfo(np.int64).max  # greater than every packed number


class Packing:
    """Packs several non-negative integers into one, ordered by the first of them, then by the second, and so on.

    Args:
        bits: of each integer but the first, which has what is left of 63.

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
        """Pack arrays; the others must broadcast to the first one's shape."""
        packed: Packed = np.left_shift(first, self._shifts[0], dtype=np.int64)
        for part, shift in zip(others, self._shifts[1:], strict=True):
            packed |= np.left_shift(part, shift, dtype=np.int64) if shift else part
        return packed

    def part(self, number: int, packed: Packed) -> Packed:
        """Unpack one of the integers, by its number from 0."""
        parts: Packed = packed >> self._shifts[number] if self._shifts[number] else packed
        if number:
            parts = parts & self._masks[number]
        return parts

    def from_first(self, first: Any) -> Any:
        """The smallest packed number with the given first integer."""
        return first << self._shifts[0]


def steps(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Scores as integers, in millionths."""
    # Clipped, because stored vectors have unit length to three decimals only.
    clipped = np.clip(scores, -1, 1)
    clipped *= SCORE_STEPS
    whole: NDArray[np.int64] = np.rint(clipped, out=clipped).astype(np.int64)
    return whole


def distances(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Distances as integers of :data:`DISTANCE_BITS` bits: 1 minus the score, in millionths."""
    below = steps(scores)
    return np.subtract(SCORE_STEPS, below, out=below)


def scores_of(whole: NDArray[np.int64]) -> NDArray[np.float32]:
    """The inverse of :func:`steps`: scores with six decimals."""
    scores: NDArray[np.float32] = (whole / SCORE_STEPS).astype(np.float32)
    return scores


# Packed scores: greater is nearer, which partitions a sixth faster than the other way round ---------------------------

SCORED = Packing(32)
LAST_ROW = (1 << 32) - 1
FARTHEST = np.iinfo(np.int64).min
CLOSE = 2  # steps by which two scores of one row may differ, each rounded in its own way


def packed_scores(scores: NDArray[np.floating], rows: NDArray[np.integer]) -> Packed:
    """Pack scores ``(..., n)`` with their rows ``(n,)`` or ``(..., n)``."""
    return packed_steps(steps(scores), rows)


def packed_steps(whole: NDArray[np.int64], rows: NDArray[np.integer]) -> Packed:
    """Pack scores from :func:`steps` with their rows."""
    return SCORED.pack(whole, LAST_ROW - rows.astype(np.int64))


def nearest(packed: Packed, k: int) -> Packed:
    """The ``k`` nearest of each query ``(queries, n)``, unsorted; all where there are fewer."""
    surplus = packed.shape[1] - k
    return packed if surplus <= 0 else np.partition(packed, surplus - 1, axis=1)[:, surplus:]


def nearest_and_close(packed: Packed, k: int) -> Packed:
    """The ``k`` nearest of each query and all that are close to the farthest of them, unsorted; and some farther ones,
    since each query keeps as many as any of them needs."""
    surplus = packed.shape[1] - k
    if surplus <= 0:
        return packed
    parted = np.partition(packed, surplus, axis=1)
    limit = SCORED.from_first(steps_of(parted[:, surplus]) - CLOSE)
    close = int((parted[:, :surplus] >= limit[:, None]).sum(axis=1).max(initial=0))
    return nearest(parted, k + close) if close else parted[:, surplus:]


def steps_of(packed: Packed) -> NDArray[np.int64]:
    """The scores of packed numbers, in millionths."""
    return SCORED.part(0, packed)


def row_of(packed: Packed) -> NDArray[np.intp]:
    """The rows of packed numbers."""
    return (LAST_ROW - SCORED.part(1, packed)).astype(np.intp)


def score_to_reach(packed: Packed) -> NDArray[np.float32]:
    """For each query ``(queries, n)`` the score of its farthest, or hardly less: no row with a lower one is nearer."""
    return scores_of(steps_of(packed.min(axis=1, initial=MAX_PACKED)) - CLOSE)


def neighbours_of(packed: Packed) -> Neighbours:
    """Unpack ``(queries, k)`` packed scores into rows and scores, best first."""
    packed = -np.sort(-packed)
    return Neighbours(rows=row_of(packed), scores=scores_of(steps_of(packed)))
