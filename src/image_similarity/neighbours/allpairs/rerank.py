"""The last word on many pairs of rows, in the order of the file: each block of it is read once, and given back.

Where pairs are looked at row by row (:mod:`image_similarity.neighbours.rerank`), the others of a row lie anywhere: all
of a mapped file is soon held, and each other is made float32 again and again. Here a block is made so once for all
pairs.
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
VALUES = 1 << 18  # multiplied together: both sides stay in the processor's nearest caches
PAIRS = Packing(DISTANCE_BITS, 28)  # a row, a distance, the other row


def rerank_pairs(
    vectors: NDArray[np.float16],
    mine: NDArray[np.float32],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    k: int,
) -> NDArray[np.int64]:
    """The packed scores of the ``k`` best others of each row that has any, ``(rows that have any, k)``, best first.

    Args:
        vectors: ``(n, dimension)``; what was read of a memory map is given back.
        mine: ``(m, dimension)``, the rows; at most 16,384.
        pairs: of each pair the row's place in ``mine``, in order, and the other's in ``vectors``; at least ``k`` others
            of each row that has any, each once.
        k: rows wanted.
    """
    rows, others = pairs
    packed = PAIRS.pack(rows, distances(scores_of(vectors, mine, rows, others)), others)
    packed.sort()
    firsts = np.flatnonzero(np.diff(rows, prepend=-1))
    best = packed[firsts[:, None] + np.arange(k)]
    return packed_steps(SCORE_STEPS - PAIRS.part(1, best), PAIRS.part(2, best))


def scores_of(
    vectors: NDArray[np.float16],
    mine: NDArray[np.float32],
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
) -> NDArray[np.float32]:
    """The dot product of each pair, ``(pairs,)``; arguments as of :func:`rerank_pairs`."""
    dimension = vectors.shape[1]
    size, together = max(1, BLOCK // dimension), max(1, VALUES // dimension)
    scores = np.empty(len(rows), np.float32)
    blocks = others // size
    order = np.argsort(blocks.astype(np.uint16) if len(vectors) <= size << 16 else blocks, kind="stable")
    ends = np.cumsum(np.bincount(blocks))
    for block, (start, stop) in enumerate(zip([0, *ends], ends, strict=False)):
        if start == stop:
            continue
        part = vectors[block * size : (block + 1) * size]
        theirs = to_float32(part)
        release(part)
        for first in range(start, stop, together):
            some = order[first : min(first + together, stop)]
            scores[some] = np.vecdot(mine.take(rows[some], axis=0), theirs.take(others[some] - block * size, axis=0))
    return scores
