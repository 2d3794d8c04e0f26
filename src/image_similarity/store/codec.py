"""Stored vectors: bare ``float16`` numbers, little endian. ``numpy.frombuffer(blob, "<f2")`` reads one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DTYPE = np.dtype("<f2")


def encode(vector: NDArray[np.floating]) -> bytes:
    """Encode a vector ``(dimension,)`` as ``2 * dimension`` bytes."""
    return vector.astype(DTYPE).tobytes()


def decode(blob: bytes, dimension: int) -> NDArray[np.float16]:
    """Decode a vector ``(dimension,)``.

    Raises:
        StoreError: the number of bytes is not ``2 * dimension``.
    """
    if len(blob) != DTYPE.itemsize * dimension:
        raise StoreError(f"a stored vector has {len(blob)} bytes, {DTYPE.itemsize * dimension} were expected")
    return np.frombuffer(blob, DTYPE)
