"""Crops of a query photo, searched along with it: the product seldom fills the whole photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SHARE = 0.72  # of each side
PLACES = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
"""Positions of the crops, across and down, as shares of the free space; the middle, then the corners."""


def with_crops(image: Image.Image) -> list[Image.Image]:
    """The image itself, its middle, and its four corners."""
    width, height = (max(1, round(side * SHARE)) for side in image.size)
    corners = [
        (round((image.width - width) * across), round((image.height - height) * down)) for across, down in PLACES
    ]
    return [image, *(image.crop((left, top, left + width, top + height)) for left, top in corners)]
