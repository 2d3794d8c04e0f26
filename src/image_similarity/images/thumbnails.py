"""Resize images to thumbnails and encode them as JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from image_similarity.images.decoding import decode

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

TARGET_SHARE = 6  # times the side squared: the pixels kept before the final resize


def shrunk(image: PilImage, side: int, resampling: Image.Resampling = Image.Resampling.BICUBIC) -> PilImage:
    """A copy of at most ``side`` pixels a side, never enlarged."""
    small = image.copy()
    small.thumbnail((side, side), resampling)
    return small


def thumbnail(data: bytes, side: int, max_pixels: int, *, tallest: int | None = None) -> PilImage:
    """Decode an image's file to a small upright RGB image.

    Args:
        data: the file's bytes.
        side: maximum of the longer side, in pixels.
        max_pixels: see :func:`~image_similarity.images.decoding.decode`.
        tallest: maximum height, where ``side`` limits the width alone.

    Raises:
        ImageError: not an image, damaged, or too large.
    """
    image = decode(data, max_pixels=max_pixels, min_side=side, target_pixels=TARGET_SHARE * side**2)
    image.thumbnail((side, tallest or side))
    return image


def as_jpeg(image: PilImage, quality: int, *, optimize: bool = False) -> bytes:
    """Encode as JPEG; ``optimize`` takes longer and saves a few bytes."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=optimize)
    return file.getvalue()
