"""Unit length, the one property that every embedding model's vectors share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mean_vector(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of unit vectors ``(n, dimension)``, of unit length again: ``(1, dimension)``. One stays what it is."""
    if len(vectors) == 1:
        return vectors
    mean: NDArray[np.float32] = vectors.mean(axis=0, keepdims=True)
    return unit_length(mean, "the mean of several pictures")


def unit_length(vectors: NDArray[np.float32], model: str) -> NDArray[np.float32]:
    """Scale each row of ``(n, dimension)`` to length one, so that a dot product is the cosine.

    A row of zeros stays so: it is like nothing.

    Raises:
        ModelError: a number is not finite.
    """
    if not np.isfinite(vectors).all():
        raise ModelError(f"{model} gave numbers that are not finite: its file or its preprocessing is wrong")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
