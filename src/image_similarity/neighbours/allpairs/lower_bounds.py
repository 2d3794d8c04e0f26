"""Lower bounds: for each row of a matrix a score that more than ``k`` other rows reach, estimated on a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.allpairs.tiles import SIDE
from image_similarity.util.memory import release
from image_similarity.util.sampling import sample_rows

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

    from image_similarity.neighbours.allpairs.tiles import Tiles

SAMPLE_TILES = 2  # of rows, the size of the sample
ONE_IN_200 = 2.58  # standard deviations: one row in 200 has too few rows above its lower bound
AT_ONCE = 64  # rows of the sample that are read together
LOWEST = -1.1  # below every score
SEED = 20_26


def lower_bounds(vectors: NDArray[np.float16], k: int, tiles: Tiles, pool: Executor) -> NDArray[np.float32]:
    """The lower bounds ``(n,)``; :data:`LOWEST` where the sample is too small for an estimate.

    Args:
        vectors: ``(n, dimension)``; pages read of a memory map are released.
        k: rows that should reach a bound.
        tiles: of the same vectors.
        pool: runs the work, tile by tile.
    """
    count = min(len(vectors), SAMPLE_TILES * SIDE)
    sample = sample_rows(np.arange(len(vectors)), count, SEED)
    columns = [_rows_of(vectors, part) for part in np.array_split(sample, -(-count // SIDE))]
    rank = rank_of_bound(k * count / len(vectors))

    def of_tile(tile: int) -> NDArray[np.float32]:
        rows = vectors[tiles.rows(tile)]
        if rank > count:
            return np.full(len(rows), LOWEST, np.float32)
        best = np.empty((len(rows), 0), np.float32)
        for part in columns:  # never all scores at once: a sample of two tiles would take twice a tile's memory
            best = np.concatenate([best, _highest(tiles.against(rows, part), rank)], axis=1)
        bounds: NDArray[np.float32] = _highest(best, rank).min(axis=1)
        return bounds

    return np.concatenate(list(pool.map(of_tile, range(tiles.count))))


def rank_of_bound(expected: float) -> int:
    """The rank of the lower bound among a row's sampled scores, when so many of its nearest are expected in the sample.

    Their number in the sample is Poisson distributed: in one row of 200 it exceeds the mean by more than 2.58 standard
    deviations (plus a correction of the normal approximation for small means).
    """
    return int(expected + ONE_IN_200 * expected**0.5 + 1.5)


def _rows_of(vectors: NDArray[np.float16], rows: NDArray[np.intp]) -> NDArray[np.float16]:
    """Copy some rows, ascending, of a matrix; pages of a memory map are released as they are read."""
    pieces = []
    for few in np.array_split(rows, max(1, len(rows) // AT_ONCE)):
        pieces.append(vectors.take(few, axis=0))
        release(vectors[few[0] : few[-1] + 1])
    return np.concatenate(pieces)


def _highest(scores: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """The ``number`` highest scores of each row, unsorted; reorders ``scores`` in place."""
    surplus = scores.shape[1] - number
    if surplus > 0:
        scores.partition(surplus, axis=1)
    return scores[:, max(0, surplus) :]
