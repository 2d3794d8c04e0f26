"""Detect the light, even background of studio images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from image_similarity.images.thumbnails import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as PilImage

    Mask = NDArray[np.bool_]

SIDE = 64  # longer side, in pixels: enough for the colour of a border
THICK = 2  # pixels
LIGHT = 190  # a studio's grey is lighter than this in every channel
CLOSE = 14  # levels of any channel: the ringing of a JPEG on white
EVEN = 0.55  # share of the border: a fashion model's legs and sleeves may cross it


def on_plain_background(image: PilImage) -> bool:
    """Whether more than half of the border is of one light colour.

    Args:
        image: upright RGB, of any size.
    """
    pixels = np.asarray(shrunk(image, SIDE, Image.Resampling.BOX))
    return like_background(pixels, border(pixels.shape[0], pixels.shape[1], THICK)) is not None


def border(height: int, width: int, thick: int) -> Mask:
    """A mask of the pixels along an image's border, ``thick`` pixels deep."""
    ring = np.ones((height, width), bool)
    ring[thick : height - thick, thick : width - thick] = False
    return ring


def like_background(pixels: NDArray[np.uint8], ring: Mask) -> Mask | None:
    """A mask of the pixels that have the border's colour; None where that is not light and even.

    Args:
        pixels: RGB ``(height, width, 3)``.
        ring: the mask from :func:`border`.
    """
    levels = pixels.astype(np.int16)
    colour = np.median(levels[ring], axis=0)
    near: Mask = (np.abs(levels - colour) <= CLOSE).all(axis=-1)
    return near if colour.min() >= LIGHT and near[ring].mean() >= EVEN else None
