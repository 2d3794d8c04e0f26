"""Unit vectors: embedding images one by one or together, checking and normalising the vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from image_similarity.errors import ImageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")
ZERO_VECTOR = "the model finds nothing in it: every number of its vector is zero"


def embed_each(
    embed: Callable[[Sequence[T]], NDArray[np.float32]], images: Sequence[T]
) -> list[NDArray[np.float32] | ImageError]:
    """Embed images together, or one by one where that fails, so that one bad image does not affect the others.

    Args:
        embed: computes a vector, or one for each view, for each of some images.
        images: the input of ``embed``.

    Returns:
        For each image its vectors, or the error why there are none.
    """
    if not images:
        return []
    try:
        rows = embed(images)
    except (ModelError, RuntimeError, ValueError, ArithmeticError) as error:
        if len(images) == 1:
            return [ImageError("embed", (str(error).splitlines() or [type(error).__name__])[0])]
        return [row for image in images for row in embed_each(embed, [image])]
    return [row if is_usable(row) else ImageError("embed", ZERO_VECTOR) for row in rows]


def is_usable(vectors: NDArray[np.floating]) -> bool:
    """Whether vectors ``(..., dimension)`` can be compared: all are finite, and none is all zeros."""
    return bool(np.isfinite(vectors).all() and vectors.any(axis=-1).all())


def mean_vector(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of unit vectors ``(n, dimension)``, scaled to unit length: ``(1, dimension)``. One is unchanged."""
    if len(vectors) == 1:
        return vectors
    mean: NDArray[np.float32] = vectors.mean(axis=0, keepdims=True)
    return unit_length(mean, "the mean of several images")


def unit_length(vectors: NDArray[np.float32], model: str) -> NDArray[np.float32]:
    """Scale each row of ``(n, dimension)`` to length one, so that a dot product is the cosine.

    A row of zeros is unchanged.

    Raises:
        ModelError: a number is not finite.
    """
    if not np.isfinite(vectors).all():
        raise ModelError(f"{model} gave numbers that are not finite: its file or its preprocessing is wrong")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
