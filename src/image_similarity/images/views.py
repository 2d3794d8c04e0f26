"""Fit an upright image to a network's square input, and transform that into its six views."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from image_similarity.errors import UsageError
from image_similarity.images.resampling import resampled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from image_similarity.types import InputSpec

WHITE = (255, 255, 255)
ORIGINAL = "000"

# The first version's codes. Rotations are counter-clockwise.
TRANSFORMS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    ORIGINAL: lambda pixels: pixels,
    "0001": lambda pixels: pixels[:, ::-1],
    "0002": lambda pixels: pixels[::-1],
    "00090": lambda pixels: np.rot90(pixels, 1),
    "000180": lambda pixels: np.rot90(pixels, 2),
    "000270": lambda pixels: np.rot90(pixels, 3),
}
"""View code to transformation of square pixels ``(size, size, 3)``."""

ONE_VIEW = (ORIGINAL,)
SIX_VIEWS = tuple(TRANSFORMS)

SHARED_SIDE = 320
"""Pixels. Smaller inputs are made from an image decoded for this side, so that the usual parts of a mixture share one
decoding, in a fit and in a search."""


def views_for(data_augmentation: int) -> tuple[str, ...]:
    """The views for ``data_augmentation``: 0 the image alone, 1 all six.

    Raises:
        UsageError: any other number.
    """
    if data_augmentation not in (0, 1):
        raise UsageError(f"`data_augmentation` is 0 or 1, not {data_augmentation}")
    return SIX_VIEWS if data_augmentation else ONE_VIEW


def min_side(spec: InputSpec) -> int | None:
    """The side that a decoded image must keep; None where every pixel is needed.

    Nearest-neighbour resampling picks single pixels, and would pick others from an image decoded at reduced size.
    """
    return None if spec.interpolation == "nearest" else max(spec.size, spec.shorter, SHARED_SIDE)


def squares(image: Image.Image, specs: Iterable[InputSpec]) -> dict[InputSpec, NDArray[np.uint8]]:
    """The input of each of several models, see :func:`square`; those that are the same pixels are made once."""
    made: dict[InputSpec, NDArray[np.uint8]] = {}
    for spec in specs:
        is_whole = image.width == image.height and spec.resize == "pad"
        alike = replace(spec, resize="stretch") if is_whole else spec  # a square image needs no padding
        if alike not in made:
            made[alike] = square(image, alike)
        made[spec] = made[alike]
    return made


def square(image: Image.Image, spec: InputSpec) -> NDArray[np.uint8]:
    """Fit an image to a network's input: stretched, padded with white, or centre-cropped. RGB ``(size, size, 3)``."""
    size = spec.size
    if spec.resize == "crop":
        return _centre_crop(image, spec)
    if spec.resize == "stretch":
        if image.size != (size, size):
            image = resampled(image, (size, size), spec.interpolation)
        return np.asarray(image)
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    canvas = Image.new("RGB", (size, size), WHITE)
    small = resampled(image, (width, height), spec.interpolation)
    canvas.paste(small, ((size - width) // 2, (size - height) // 2))
    return np.asarray(canvas)


def _centre_crop(image: Image.Image, spec: InputSpec) -> NDArray[np.uint8]:
    """Resize the shorter side to ``shorter`` pixels, then centre-crop; rounds as Hugging Face's image processors do.

    Only the crop is resampled: an image ten thousand times as wide as high costs no more than any other.
    """
    size, (width, height) = spec.size, image.size
    shorter = spec.shorter or size
    wide = max(size, shorter * width // min(width, height))
    high = max(size, shorter * height // min(width, height))
    left, top = (wide - size) // 2, (high - size) // 2
    if (wide, high) == (width, height):
        return np.asarray(image.crop((left, top, left + size, top + size)))
    across, down = width / wide, height / high  # source pixels for each resized pixel
    box = (left * across, top * down, min(width, (left + size) * across), min(height, (top + size) * down))
    return np.asarray(resampled(image, (size, size), spec.interpolation, box))


def stack(pixels: NDArray[np.uint8], views: Sequence[str]) -> NDArray[np.uint8]:
    """The views of one square image: ``(size, size, 3)`` to ``(views, size, size, 3)``."""
    if views == ONE_VIEW:
        return pixels[None]  # no copy, which would take a tenth of decoding
    return np.stack([TRANSFORMS[view](pixels) for view in views])


def white_background(pixels: NDArray[np.uint8]) -> bool:
    """Whether the pixel at the top left is pure white: the first version's test of a studio shot."""
    return bool((pixels[0, 0] == 255).all())
