"""An image's file to the squares that some models take, each decoded as if it were the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.images.decoding import decode, was_repaired
from image_similarity.images.views import min_side, square

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from image_similarity.types import InputSpec


def decoded_inputs(
    data: bytes, inputs: Sequence[InputSpec], max_pixels: int, *, strict: bool = False
) -> tuple[list[NDArray[np.uint8]], bool]:
    """Decode once for each way to decode. What one model gets never depends on which others are there.

    Args:
        data: the file's bytes.
        inputs: what each model takes.
        max_pixels: as :func:`~image_similarity.images.decoding.decode` has it.
        strict: so is this.

    Returns:
        For each of ``inputs`` the pixels ``(size, size, 3)``; and whether the image's file was cut short.

    Raises:
        ImageError: stage ``decode``.
    """
    images: dict[int | None, Image.Image] = {}
    for wanted in inputs:
        side = min_side(wanted)
        if side not in images:
            images[side] = decode(data, max_pixels=max_pixels, min_side=side, strict=strict)
    repaired = any(was_repaired(image) for image in images.values())
    return [square(images[min_side(wanted)], wanted) for wanted in inputs], repaired
