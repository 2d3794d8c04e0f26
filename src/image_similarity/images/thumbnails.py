"""Pictures made small, and as JPEG: what a page, a browser or a closer look at colours needs of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from image_similarity.images.decoding import decode

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ENOUGH = 6  # times the side squared: with no more pixels an image is made smaller in one step


def shrunk(picture: Picture, side: int, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> Picture:
    """A copy of at most ``side`` pixels a side; never larger than the image is."""
    small = picture.copy()
    small.thumbnail((side, side), resampling)
    return small


def thumbnail(data: bytes, side: int, max_pixels: int, *, tallest: int | None = None) -> Picture:
    """A file's image, upright RGB, small.

    Args:
        data: the file's bytes.
        side: pixels of the longer side at most.
        max_pixels: as :func:`~image_similarity.images.decoding.decode` has it.
        tallest: pixels of the height at most, where ``side`` is of the width alone.

    Raises:
        ImageError: it is not an image, damaged, or too large.
    """
    picture = decode(data, max_pixels=max_pixels, at_least=side, enough=ENOUGH * side**2)
    picture.thumbnail((side, tallest or side))
    return picture


def as_jpeg(picture: Picture, quality: int, *, optimize: bool = False) -> bytes:
    """A picture's bytes; ``optimize`` takes time to save a few of them."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=optimize)
    return file.getvalue()
