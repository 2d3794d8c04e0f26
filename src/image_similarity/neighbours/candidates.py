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


def _below(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    return (keys >> OTHER_BITS) & SCORE_MASK


def best_of(
    keys: NDArray[np.int64], count: int, k: int, floor: NDArray[np.float32], doubt: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """For each row of a unit the others that may be among its ``k`` nearest.

    Args:
        keys: packed pairs, in any order.
        count: rows of the unit.
        k: rows wanted.
        floor: ``(count,)``, every pair with a score of at least this is among the keys.
        doubt: how much two scores can be off against each other.

    Returns:
        The others ``(count, c)``, -1 where there are fewer, and which rows have too few above their floor to tell.
    """
    keys = np.sort(keys)
    starts = np.searchsorted(keys, np.arange(count + 1, dtype=np.int64) << (SCORE_BITS + OTHER_BITS))
    known = np.diff(starts)
    enough = known >= k
    kth = np.full(count, -1, np.int64)
    kth[enough] = _below(keys[starts[:-1][enough] + k - 1])
    floor_below = ((HIGHEST - floor.astype(np.float64)) * SCORE_SCALE).astype(np.int64)
    short = ~enough | (kth > floor_below)
    last = np.where(short, -1, kth + int(doubt * SCORE_SCALE) + 2)
    rows = row_of(keys)
    kept = _below(keys) <= last[rows]
    keys, rows = keys[kept], rows[kept]
    numbers = np.bincount(rows, minlength=count)
    first = np.concatenate([[0], np.cumsum(numbers)[:-1]])
    others = np.full((count, max(k, int(numbers.max(initial=0)))), -1, np.int64)
    others[rows, np.arange(len(keys)) - first[rows]] = keys & OTHER_MASK
    return others, short
