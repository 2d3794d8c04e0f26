"""Which region of a photo carried a match: cover it patch by patch and see how far the score falls.

After Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2. It asks nothing
of the model but vectors, so it holds for every model, and for several side by side.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

GRID = 7
"""Patches down and across: their middles are an eighth of the image's side apart."""
STEPS = GRID + 1
PATCH = 0.34  # of the image's side: neighbours overlap
SPREAD = 0.75  # standard deviation of a patch's say about the pixels around its middle, in steps
BLUR = 0.25  # of the image's shorter side: what covers a patch has the colours around it and no outlines
SOFT = 0.04  # of the image's side: a hard edge would be an outline of its own
LEAST = 0.002  # a fall of the cosine below this is no region's doing
ZONES = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))


def covered(image: Image.Image) -> list[Image.Image]:
    """The image with each of the patches covered, row by row: ``GRID * GRID`` images of its size.

    Args:
        image: upright RGB; small, for all of them are in memory.
    """
    blurred = image.filter(ImageFilter.GaussianBlur(BLUR * min(image.size)))
    return [
        Image.composite(blurred, image, _patch(image.size, down, across))
        for down in range(GRID)
        for across in range(GRID)
    ]


@cache
def _patch(size: tuple[int, int], down: int, across: int) -> Image.Image:
    """White where the patch is, with soft edges."""
    width, height = size
    (left, right), (top, bottom) = (
        (round(((at + 1) / STEPS - PATCH / 2) * side), round(((at + 1) / STEPS + PATCH / 2) * side))
        for at, side in ((across, width), (down, height))
    )
    mask = Image.new("L", size)
    mask.paste(255, (left, top, right, bottom))
    return mask.filter(ImageFilter.GaussianBlur(SOFT * min(size)))


def heat(whole: Floats, patched: Floats, found: Floats) -> Floats:
    """How much each patch carried each match.

    Args:
        whole: ``(dimension,)``, the photo's vector.
        patched: ``(GRID * GRID, dimension)``, those of the covered ones.
        found: ``(matches, dimension)``, those of the images that matched.

    Returns:
        ``(matches, GRID, GRID)``, 0..1: the fall of the cosine, 1 where it is greatest; all 0 where no patch alone
        matters.
    """
    falls = np.maximum(found @ whole - patched @ found.T, 0).T.astype(np.float32)
    greatest = falls.max(axis=1, keepdims=True)
    relative = np.where(greatest >= LEAST, falls / np.maximum(greatest, LEAST), 0).astype(np.float32)
    return relative.reshape(-1, GRID, GRID)


def spread(heat: Floats, size: tuple[int, int]) -> Floats:
    """Heat of patches ``(GRID, GRID)`` to heat of pixels ``(height, width)``, smoothly."""
    width, height = size
    smooth = _weights(height) @ heat @ _weights(width).T
    return smooth.astype(np.float32)


def where(heat: Floats) -> str:
    """The part of the photo with the most heat, in words; empty where there is none."""
    if not heat.any():
        return ""
    thirds = [slice(0, 2), slice(2, 5), slice(5, 7)]
    means = np.array([[float(heat[down, across].mean()) for across in thirds] for down in thirds])
    down, across = np.unravel_index(int(means.argmax()), means.shape)
    return ZONES[int(down)][int(across)]


@cache
def _weights(pixels: int) -> Floats:
    """How much each patch says about each pixel ``(pixels, GRID)``: a bell around its middle; they add up to one."""
    place = np.clip((np.arange(pixels) + 0.5) / pixels * STEPS - 1, 0, GRID - 1)
    distance = (place[:, None] - np.arange(GRID)) / SPREAD
    bells = np.exp(-(distance**2) / 2)
    weights: Floats = (bells / bells.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights
