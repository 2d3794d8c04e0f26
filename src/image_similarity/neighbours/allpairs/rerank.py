"""Re-rank many pairs of rows in the order of the file: each block is read and converted once, and then released.

:mod:`image_similarity.neighbours.rerank` goes row by row. The candidates of a row lie anywhere in a mapped file, so all
of it would soon be in memory, and each candidate would be converted to float32 again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.float16 import to_float32
from image_similarity.neighbours.packed_scores import DISTANCE_BITS, SCORE_STEPS, Packing, distances, packed_steps
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1 << 19  # values of a block: 2 MB in float32
VALUES = 1 << 18  # multiplied together: both operands stay in the processor's nearest caches
PAIRS = Packing(DISTANCE_BITS, 28)  # a row, a distance, the other row


def rerank_pairs(
    vectors: NDArray[np.float16],
    block: NDArray[np.float32],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    k: int,
) -> NDArray[np.int64]:
    """The packed scores of the ``k`` best of each row's candidates, ``(rows with candidates, k)``, best first.

    Args:
        vectors: ``(n, dimension)``; pages read of a memory map are released.
        block: ``(m, dimension)``, the vectors of the rows; at most 16,384.
        pairs: rows in ``block``, ascending, and their candidates in ``vectors``; at least ``k`` candidates for each row
            that has any, each once.
        k: nearest rows per row.
    """
    rows, others = pairs
    packed = PAIRS.pack(rows, distances(scores_of(vectors, block, rows, others)), others)
    packed.sort()
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    best = packed[firsts[:, None] + np.arange(k)]
    return packed_steps(SCORE_STEPS - PAIRS.part(1, best), PAIRS.part(2, best))


def scores_of(
    vectors: NDArray[np.float16],
    block: NDArray[np.float32],
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The dot product of each pair, ``(pairs,)``; arguments as for :func:`rerank_pairs`."""
    dimension = vectors.shape[1]
    size, together = max(1, BLOCK // dimension), max(1, VALUES // dimension)
    scores = np.empty(len(rows), np.float32)
    numbers = others // size
    order = np.argsort(numbers.astype(np.uint16) if len(vectors) <= size << 16 else numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers))
    for number, (start, stop) in enumerate(zip([0, *ends], ends, strict=False)):
        if start == stop:
            continue
        part = vectors[number * size : (number + 1) * size]
        candidates = to_float32(part)
        release(part)
        for first in range(start, stop, together):
            some = order[first : min(first + together, stop)]
            other = candidates.take(others[some] - number * size, axis=0)
            scores[some] = np.vecdot(block.take(rows[some], axis=0), other)
    return scores
