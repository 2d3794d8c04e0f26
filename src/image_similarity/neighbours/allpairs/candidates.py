"""Candidate pairs of rows, each packed into one integer, so that one sort brings them by row, best score first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.packed_scores import Packing

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAIRS = Packing(20, 28)  # a row within its unit, a distance, the other row: 62 bits in all
SCORE_SCALE = 2.0**18  # steps for a score of 1: finer than any score that was computed in bfloat16
HIGHEST = 1.5  # no score of two stored vectors gets here
STEP = 1 / SCORE_SCALE


def packed(rows: NDArray[np.integer], others: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Pairs of a unit's rows with other rows: three arrays ``(n,)`` in one."""
    return PAIRS.pack(rows, ((HIGHEST - scores) * np.float32(SCORE_SCALE)).astype(np.int64), others)


def row_of(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows within their unit."""
    return PAIRS.part(0, pairs)


def other_of(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The other rows."""
    return PAIRS.part(2, pairs)


def of_rows(pairs: NDArray[np.int64], rows: range) -> NDArray[np.int64]:
    """The pairs of some adjacent rows, out of sorted ones: no copy."""
    first, last = np.searchsorted(pairs, PAIRS.from_first(np.array([rows.start, rows.stop], np.int64)))
    return pairs[first:last]


def best_of(
    pairs: NDArray[np.int64], rows: range, k: int, floor: NDArray[np.float32], doubt: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The pairs of some adjacent rows whose others may be among a row's ``k`` nearest.

    Args:
        pairs: of these rows, packed and sorted.
        rows: which rows of their unit.
        k: rows wanted.
        floor: ``(rows,)``, every pair with a score of at least this is among them.
        doubt: how much two scores can be off against each other.

    Returns:
        The pairs, and which rows have too few above their floor to tell ``(rows,)``; none of the pairs are of these.
    """
    starts = np.searchsorted(pairs, PAIRS.from_first(np.arange(rows.start, rows.stop + 1, dtype=np.int64)))
    known = np.diff(starts)
    enough = known >= k
    kth = np.full(len(rows), -1, np.int64)
    kth[enough] = PAIRS.part(1, pairs[starts[:-1][enough] + k - 1])
    floor_below = ((HIGHEST - floor.astype(np.float64)) * SCORE_SCALE).astype(np.int64)
    short = ~enough | (kth > floor_below)
    last = np.where(short, -1, kth + int(doubt * SCORE_SCALE) + 2)
    return pairs.compress(PAIRS.part(1, pairs) <= np.repeat(last, known)), short
