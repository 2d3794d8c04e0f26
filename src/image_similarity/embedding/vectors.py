"""Unit length, the one property that every embedding model's vectors share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
