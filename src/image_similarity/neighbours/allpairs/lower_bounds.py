"""For each row of a matrix a score that more than ``k`` other rows reach, going by a sample of them."""

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

SAMPLE_TILES = 2  # rows that tell each row's floor
ONE_IN_200 = 2.58  # standard deviations; so many rows have too few above their floor
AT_ONCE = 64  # rows of the sample that are read together
LOWEST = -1.1  # every score reaches it
SEED = 20_26


def lower_bounds(vectors: NDArray[np.float16], k: int, tiles: Tiles, pool: Executor) -> NDArray[np.float32]:
    """The floors ``(n,)``; :data:`LOWEST` where the sample is too small to tell.

    Args:
        vectors: ``(n, dimension)``; what is read of a memory map is given back.
        k: rows that are to reach it.
        tiles: of the same vectors.
        pool: for the work, tile by tile.
    """
    count = min(len(vectors), SAMPLE_TILES * SIDE)
    sample = sample_rows(np.arange(len(vectors)), count, SEED)
    columns = [_taken(vectors, part) for part in np.array_split(sample, -(-count // SIDE))]
    place = place_of(k * count / len(vectors))

    def of_tile(tile: int) -> NDArray[np.float32]:
        rows = vectors[tiles.rows(tile)]
        if place > count:
            return np.full(len(rows), LOWEST, np.float32)
        best = np.empty((len(rows), 0), np.float32)
        for part in columns:  # never all scores at once: a sample of two tiles would take twice a tile's memory
            best = np.concatenate([best, _highest(tiles.against(rows, part), place)], axis=1)
        floors: NDArray[np.float32] = _highest(best, place).min(axis=1)
        return floors

    return np.concatenate(list(pool.map(of_tile, range(tiles.count))))


def place_of(expected: float) -> int:
    """How far down a row's sampled scores its floor lies, when so many of its nearest are expected in the sample.

    The number of them that are in it is Poisson distributed: in one row of 200 it exceeds the mean by more than 2.58
    standard deviations (rounded up by what the normal distribution is wrong by where the mean is small).
    """
    return int(expected + ONE_IN_200 * expected**0.5 + 1.5)


def _taken(vectors: NDArray[np.float16], rows: NDArray[np.intp]) -> NDArray[np.float16]:
    """Some rows, spread over a matrix in order; what was read of it is given back bit by bit."""
    pieces = []
    for few in np.array_split(rows, max(1, len(rows) // AT_ONCE)):
        pieces.append(vectors.take(few, axis=0))
        release(vectors[few[0] : few[-1] + 1])
    return np.concatenate(pieces)


def _highest(scores: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """The highest of each line, in no order; the scores change places."""
    surplus = scores.shape[1] - number
    if surplus > 0:
        scores.partition(surplus, axis=1)
    return scores[:, max(0, surplus) :]
