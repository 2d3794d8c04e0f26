"""Whether a picture was taken as a catalogue's are, on a light and even ground, or somewhere in the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SIDE = 64  # pixels of the longer side: enough for the colour of a border
RING = 2  # pixels
LIGHT = 190  # a studio's grey is lighter than this in every channel
CLOSE = 14  # levels of any channel
EVEN = 0.55  # of the border: a model's legs and sleeves may leave the picture


def on_plain_ground(picture: Picture) -> bool:
    """Whether more than half of the border is of one light colour.

    Args:
        picture: upright RGB, of any size.
    """
    small = picture.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small).astype(np.int16)
    inside = np.zeros(pixels.shape[:2], bool)
    inside[RING:-RING, RING:-RING] = True
    border = pixels[~inside]
    colour = np.median(border, axis=0)
    even = (np.abs(border - colour) <= CLOSE).all(axis=-1).mean()
    return bool(colour.min() >= LIGHT and even >= EVEN)
