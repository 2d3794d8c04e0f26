"""The light and even ground that catalogues' images are taken on: whether an image has one, and where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from image_similarity.images.thumbnails import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as PilImage

    Mask = NDArray[np.bool_]

SIDE = 64  # pixels of the longer side: enough for the colour of a border
THICK = 2  # pixels
LIGHT = 190  # a studio's grey is lighter than this in every channel
CLOSE = 14  # levels of any channel: a JPEG's waves on white, and no more
EVEN = 0.55  # of the border: a model's legs and sleeves may leave the image


def on_plain_background(image: PilImage) -> bool:
    """Whether more than half of the border is of one light colour.

    Args:
        image: upright RGB, of any size.
    """
    pixels = np.asarray(shrunk(image, SIDE, Image.Resampling.BOX))
    return like_ground(pixels, border(pixels.shape[0], pixels.shape[1], THICK)) is not None


def border(height: int, width: int, thick: int) -> Mask:
    """The pixels along the border of an image."""
    ring = np.ones((height, width), bool)
    ring[thick : height - thick, thick : width - thick] = False
    return ring


def like_ground(pixels: NDArray[np.uint8], ring: Mask) -> Mask | None:
    """Which pixels have the colour of the border; None where that is not light and even.

    Args:
        pixels: RGB ``(height, width, 3)``.
        ring: :func:`border`'s.
    """
    levels = pixels.astype(np.int16)
    colour = np.median(levels[ring], axis=0)
    near: Mask = (np.abs(levels - colour) <= CLOSE).all(axis=-1)
    return near if colour.min() >= LIGHT and near[ring].mean() >= EVEN else None
