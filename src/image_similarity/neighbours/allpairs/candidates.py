"""Candidate pairs of rows, each packed into one integer: one sort orders them by row, best score first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.packed_scores import Packing

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS = Packing(20, 28)  # a row within its unit, a distance, the other row: 62 bits in all
SCORE_SCALE = 2.0**18  # steps for a score of 1: finer than any score that was computed in bfloat16
HIGHEST = 1.5  # above every score of two stored vectors
STEP = 1 / SCORE_SCALE


def packed(rows: NDArray[np.integer], others: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Pack pairs: three arrays ``(n,)``, the row within its unit, the other row, their score."""
    return PAIRS.pack(rows, ((HIGHEST - scores) * np.float32(SCORE_SCALE)).astype(np.int64), others)


def row_of(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unpack the rows, numbered within their unit."""
    return PAIRS.part(0, pairs)


def other_of(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unpack the other rows."""
    return PAIRS.part(2, pairs)


def of_rows(pairs: NDArray[np.int64], rows: range) -> NDArray[np.int64]:
    """The pairs of some adjacent rows, out of sorted pairs; a view, not a copy."""
    first, last = np.searchsorted(pairs, PAIRS.from_first(np.array([rows.start, rows.stop], np.int64)))
    return pairs[first:last]


def best_of(
    pairs: NDArray[np.int64], rows: range, k: int, lower_bounds: NDArray[np.float32], error: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The pairs of some adjacent rows whose other row may be among the ``k`` nearest.

    Args:
        pairs: of these rows, packed and sorted.
        rows: numbers within their unit.
        k: nearest rows per row.
        lower_bounds: ``(rows,)``, ``pairs`` has every pair with at least this score.
        error: the most that the difference of two scores can be off.

    Returns:
        The pairs, and a mask ``(rows,)`` of the rows with too few pairs above their lower bound, left out of the pairs.
    """
    starts = np.searchsorted(pairs, PAIRS.from_first(np.arange(rows.start, rows.stop + 1, dtype=np.int64)))
    known = np.diff(starts)
    enough = known >= k
    kth = np.full(len(rows), -1, np.int64)
    kth[enough] = PAIRS.part(1, pairs[starts[:-1][enough] + k - 1])
    farthest = ((HIGHEST - lower_bounds.astype(np.float64)) * SCORE_SCALE).astype(np.int64)
    short = ~enough | (kth > farthest)
    last = np.where(short, -1, kth + int(error * SCORE_SCALE) + 2)
    return pairs.compress(PAIRS.part(1, pairs) <= np.repeat(last, known)), short
