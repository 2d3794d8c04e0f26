"""The thing on a studio's image, cut from its light and even background, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

from image_similarity.images.plain_background import border, like_ground
from image_similarity.images.thumbnails import shrunk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

SIDE = 320  # pixels of the longer side that the background is looked for at
RING = 0.02  # of the shorter side
LEAST, MOST = 0.01, 0.97  # of the image; beyond, nothing was cut
SOFT = 0.7  # pixels, standard deviation of the edge


def cutout(image: Image.Image) -> Image.Image | None:
    """The thing alone, ``RGBA``, cropped to where it is; None where the border is not light and even.

    Background is what has the border's colour and touches the border: a white shirt's inside stays. Its shadow stays
    with the thing.

    Args:
        image: upright RGB, of any size.
    """
    pixels = np.asarray(shrunk(image, SIDE, Image.Resampling.BOX))
    height, width = pixels.shape[:2]
    ring = border(height, width, max(1, round(RING * min(height, width))))
    near = like_ground(pixels, ring)
    if near is None:
        return None
    thing = ~_touching(near, ring)
    if not LEAST <= thing.mean() <= MOST:
        return None
    alpha = Image.fromarray(thing.astype(np.uint8) * 255).resize(image.size, Image.Resampling.BILINEAR)
    # A step inwards, or the background's light would stand around the thing.
    alpha = alpha.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(SOFT))
    alone = image.convert("RGBA")
    alone.putalpha(alpha)
    box = alpha.point([0] * 32 + [255] * 224).getbbox()
    return None if box is None else alone.crop(box)


def _touching(near: Mask, ring: Mask) -> Mask:
    """What of ``near`` hangs together with the border: along rows and columns in turn, whole runs at a time."""
    reached = near & ring
    while True:
        before = int(reached.sum())
        reached = _along_rows(near, reached)
        reached = _along_rows(near.T, reached.T).T
        if int(reached.sum()) == before:
            return reached


def _along_rows(near: Mask, reached: Mask) -> Mask:
    """Each run of ``near`` in a row is reached as a whole where any of it is."""
    starts = near.copy()
    starts[:, 1:] &= ~near[:, :-1]
    run = np.cumsum(starts.ravel()).reshape(near.shape)
    touched = np.zeros(int(run[-1, -1]) + 1, bool)
    touched[run[reached]] = True
    along: Mask = touched[run] & near
    return along
