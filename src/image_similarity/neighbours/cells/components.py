"""The directions in which a catalogue's vectors differ: fewer numbers a row, nearly the same dot products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.float16 import to_float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENERGY = 0.95  # of the squared length that the components keep, on average
COUNTS = (32, 64, 128, 256)
BYTE_STEPS = 127
WIDE = 256  # numbers of a row that are sooner multiplied row by row than by blocks of rows, measured
ONE_THREAD = 8192  # numbers of a matrix that OpenBLAS multiplies with a vector without waking a second thread


def principal_components(sample: NDArray[np.floating]) -> NDArray[np.float32]:
    """The first principal components of a sample ``(n, dimension)``, not centred, as columns ``(dimension, m)``.

    ``m`` is the smallest of 32, 64, 128, 256 that keeps 95 % of the squared length; never more than the dimension.
    Not centred, so that dot products of components are those of the vectors, but for what is left out.
    """
    singles = to_float32(sample)
    energies, directions = np.linalg.eigh(singles.T @ singles)
    energies, directions = energies[::-1], directions[:, ::-1]
    kept = np.cumsum(energies) / energies.sum()
    enough = int(np.searchsorted(kept, ENERGY)) + 1
    count = next((count for count in COUNTS if count >= enough), COUNTS[-1])
    return np.ascontiguousarray(directions[:, : min(count, sample.shape[1])], dtype=np.float32)


def projected(vectors: NDArray[np.floating], components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors ``(n, dimension)`` by their components ``(n, m)``."""
    return np.ascontiguousarray(to_float32(vectors) @ components)


def to_bytes(components: NDArray[np.float32]) -> NDArray[np.int8]:
    """Components of unit vectors ``(n, m)`` as whole numbers of 127ths, scaled alike in all rows."""
    return np.rint(components * BYTE_STEPS).clip(-BYTE_STEPS, BYTE_STEPS).astype(np.int8)


def dots(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The dot products of rows ``(n, m)`` with one query ``(m,)``, by this thread alone.

    A second one saves ten microseconds at most, and where the processors are busy it is waited for for milliseconds.
    """
    if rows.shape[1] >= WIDE:
        each: NDArray[np.float32] = np.vecdot(rows, query)
        return each
    block = max(1, ONE_THREAD // rows.shape[1])
    whole = len(rows) - len(rows) % block
    blocks = np.matmul(rows[:whole].reshape(-1, block, rows.shape[1]), query).reshape(-1)
    return np.concatenate([blocks, rows[whole:] @ query])
