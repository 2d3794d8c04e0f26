"""Candidate pairs of rows, each packed into one integer, so that one sort brings them by row, best score first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# From the top: the row within its unit, the score upside down, the other row. 62 bits in all.
ROW_BITS, SCORE_BITS, OTHER_BITS = 14, 20, 28
SCORE_SCALE = 2.0**18  # steps for a score of 1: finer than any score that was computed in bfloat16
HIGHEST = 1.5  # no score of two stored vectors gets here
OTHER_MASK, SCORE_MASK = (1 << OTHER_BITS) - 1, (1 << SCORE_BITS) - 1
STEP = 1 / SCORE_SCALE


def packed(rows: NDArray[np.integer], others: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Pairs of a unit's rows with other rows: three arrays ``(n,)`` in one."""
    below = ((HIGHEST - scores) * np.float32(SCORE_SCALE)).astype(np.int64)
    keys: NDArray[np.int64] = (
        (rows.astype(np.int64) << (SCORE_BITS + OTHER_BITS)) | (below << OTHER_BITS) | others.astype(np.int64)
    )
    return keys


def row_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows within their unit."""
    return keys >> (SCORE_BITS + OTHER_BITS)


def other_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """The other rows."""
    return keys & OTHER_MASK


def _below(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return (keys >> OTHER_BITS) & SCORE_MASK


def of_rows(keys: NDArray[np.int64], rows: range) -> NDArray[np.int64]:
    """The keys of some adjacent rows, out of sorted ones: no copy."""
    first, last = np.searchsorted(keys, np.array([rows.start, rows.stop], np.int64) << (SCORE_BITS + OTHER_BITS))
    return keys[first:last]


def best_of(
    keys: NDArray[np.int64], rows: range, k: int, floor: NDArray[np.float32], doubt: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The pairs of some adjacent rows whose others may be among a row's ``k`` nearest.

    Args:
        keys: packed pairs of these rows, sorted.
        rows: which rows of their unit.
        k: rows wanted.
        floor: ``(rows,)``, every pair with a score of at least this is among the keys.
        doubt: how much two scores can be off against each other.

    Returns:
        The keys, and which rows have too few above their floor to tell ``(rows,)``; none of the keys are of these.
    """
    bounds = np.arange(rows.start, rows.stop + 1, dtype=np.int64) << (SCORE_BITS + OTHER_BITS)
    starts = np.searchsorted(keys, bounds)
    known = np.diff(starts)
    enough = known >= k
    kth = np.full(len(rows), -1, np.int64)
    kth[enough] = _below(keys[starts[:-1][enough] + k - 1])
    floor_below = ((HIGHEST - floor.astype(np.float64)) * SCORE_SCALE).astype(np.int64)
    short = ~enough | (kth > floor_below)
    last = np.where(short, -1, kth + int(doubt * SCORE_SCALE) + 2)
    return keys.compress(_below(keys) <= np.repeat(last, known)), short
