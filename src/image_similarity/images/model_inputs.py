"""Decode an image's file to the inputs of several models, each as if it were the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.images.decoding import decode, was_repaired
from image_similarity.images.views import min_side, squares

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.types import InputSpec


def decoded_inputs(
    data: bytes, inputs: Sequence[InputSpec], max_pixels: int, *, strict: bool = False
) -> tuple[list[NDArray[np.uint8]], bool]:
    """Decode once for each distinct ``min_side`` and make each distinct input once.

    A model's pixels never depend on the other models.

    Args:
        data: the file's bytes.
        inputs: the input of each model.
        max_pixels: see :func:`~image_similarity.images.decoding.decode`.
        strict: likewise.

    Returns:
        The pixels ``(size, size, 3)`` for each of ``inputs``, and whether the file was truncated and repaired.

    Raises:
        ImageError: stage ``decode``.
    """
    pixels: dict[InputSpec, NDArray[np.uint8]] = {}
    repaired = False
    for side in dict.fromkeys(min_side(spec) for spec in inputs):
        image = decode(data, max_pixels=max_pixels, min_side=side, strict=strict)
        pixels |= squares(image, [spec for spec in inputs if min_side(spec) == side])
        repaired = repaired or was_repaired(image)
    return [pixels[spec] for spec in inputs], repaired
