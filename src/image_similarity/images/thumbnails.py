"""Images made small, and as JPEG: what a page, a browser or a closer look at colours needs of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from image_similarity.images.decoding import decode

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

ENOUGH = 6  # times the side squared: with no more pixels an image is made smaller in one step


def shrunk(image: PilImage, side: int, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> PilImage:
    """A copy of at most ``side`` pixels a side; never larger than the image is."""
    small = image.copy()
    small.thumbnail((side, side), resampling)
    return small


def thumbnail(data: bytes, side: int, max_pixels: int, *, tallest: int | None = None) -> PilImage:
    """A file's image, upright RGB, small.

    Args:
        data: the file's bytes.
        side: pixels of the longer side at most.
        max_pixels: as :func:`~image_similarity.images.decoding.decode` has it.
        tallest: pixels of the height at most, where ``side`` is of the width alone.

    Raises:
        ImageError: it is not an image, damaged, or too large.
    """
    image = decode(data, max_pixels=max_pixels, min_side=side, target_pixels=ENOUGH * side**2)
    image.thumbnail((side, tallest or side))
    return image


def as_jpeg(image: PilImage, quality: int, *, optimize: bool = False) -> bytes:
    """An image's bytes; ``optimize`` takes time to save a few of them."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=optimize)
    return file.getvalue()
