"""Principal components of a catalogue's vectors: fewer numbers per row, nearly the same dot products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.float16 import to_float32

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENERGY = 0.95  # share of the squared length that the components keep, on average
COUNTS = (32, 64, 128, 256)
BYTE_STEPS = 127


def principal_components(sample: NDArray[np.floating]) -> NDArray[np.float32]:
    """The first principal components of a sample ``(n, dimension)``, as columns ``(dimension, m)``.

    ``m`` is the smallest of 32, 64, 128, 256 that keeps 95 % of the squared length; never more than the dimension.
    The sample is not centred, so that dot products of components approximate those of the vectors.
    """
    rows = to_float32(sample)
    energies, directions = np.linalg.eigh(rows.T @ rows)
    energies, directions = energies[::-1], directions[:, ::-1]
    kept = np.cumsum(energies) / energies.sum()
    enough = int(np.searchsorted(kept, ENERGY)) + 1
    count = next((count for count in COUNTS if count >= enough), COUNTS[-1])
    return np.ascontiguousarray(directions[:, : min(count, sample.shape[1])], dtype=np.float32)


def projected(vectors: NDArray[np.floating], components: NDArray[np.float32]) -> NDArray[np.float32]:
    """Project vectors ``(n, dimension)`` onto components: ``(n, m)``."""
    return np.ascontiguousarray(to_float32(vectors) @ components)


def to_bytes(components: NDArray[np.float32]) -> NDArray[np.int8]:
    """Round components of unit vectors ``(n, m)`` to multiples of 1/127, as int8."""
    return np.rint(components * BYTE_STEPS).clip(-BYTE_STEPS, BYTE_STEPS).astype(np.int8)
