"""Unit length, the one property that every embedding model's vectors share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from image_similarity.errors import ImageError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")
NOTHING = "the model finds nothing in it: every number of its vector is zero"


def each_row(
    embed: Callable[[Sequence[T]], NDArray[np.float32]], images: Sequence[T]
) -> list[NDArray[np.float32] | ImageError]:
    """Embed images together; one that spoils the batch is found by itself, and costs no other its vector.

    Args:
        embed: a vector, or one of each view, for each of some images.
        images: as ``embed`` takes them.

    Returns:
        For each its vectors, or why there are none.
    """
    if not images:
        return []
    try:
        rows = embed(images)
    except (ModelError, RuntimeError, ValueError, ArithmeticError) as error:
        if len(images) == 1:
            return [ImageError("embed", (str(error).splitlines() or [type(error).__name__])[0])]
        return [row for image in images for row in each_row(embed, [image])]
    return [row if is_usable(row) else ImageError("embed", NOTHING) for row in rows]


def is_usable(vectors: NDArray[np.floating]) -> bool:
    """Whether vectors ``(..., dimension)`` can be compared: finite, and none of them nothing but zeros."""
    return bool(np.isfinite(vectors).all() and vectors.any(axis=-1).all())


def mean_vector(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of unit vectors ``(n, dimension)``, of unit length again: ``(1, dimension)``. One stays what it is."""
    if len(vectors) == 1:
        return vectors
    mean: NDArray[np.float32] = vectors.mean(axis=0, keepdims=True)
    return unit_length(mean, "the mean of several images")


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
