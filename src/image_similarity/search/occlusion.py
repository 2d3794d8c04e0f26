"""Occlusion: cover a photo patch by patch; where the score falls, the region contributes to the match.

After Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2. It
needs only vectors, so it works for every model and for mixtures.
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
"""Patches per side: their centres are an eighth of the image's side apart."""
STEPS = GRID + 1
PATCH = 0.34  # of the image's side: neighbouring patches overlap
SPREAD = 0.75  # standard deviation of a patch's weight for the pixels around its centre, in steps
BLUR = 0.25  # of the image's shorter side: the cover has the surrounding colours and no edges
SOFT = 0.04  # of the image's side: a hard border would add an edge
LEAST = 0.002  # smaller falls of the cosine are noise
ZONES = (("upper left", "top", "upper right"), ("left", "middle", "right"), ("lower left", "bottom", "lower right"))


def covered(image: Image.Image) -> list[Image.Image]:
    """Copies of the image, each with one patch covered, row by row: ``GRID * GRID`` of its size.

    Args:
        image: upright RGB; small, as all copies are in memory.
    """
    blurred = image.filter(ImageFilter.GaussianBlur(BLUR * min(image.size)))
    return [
        Image.composite(blurred, image, _patch(image.size, down, across))
        for down in range(GRID)
        for across in range(GRID)
    ]


@cache
def _patch(size: tuple[int, int], down: int, across: int) -> Image.Image:
    """A mask: white on the patch, with soft edges."""
    width, height = size
    (left, right), (top, bottom) = (
        (round(((at + 1) / STEPS - PATCH / 2) * side), round(((at + 1) / STEPS + PATCH / 2) * side))
        for at, side in ((across, width), (down, height))
    )
    mask = Image.new("L", size)
    mask.paste(255, (left, top, right, bottom))
    return mask.filter(ImageFilter.GaussianBlur(SOFT * min(size)))


def heat(whole: Floats, patched: Floats, found: Floats) -> Floats:
    """How much each patch contributes to each match.

    Args:
        whole: ``(dimension,)``, the photo's vector.
        patched: ``(GRID * GRID, dimension)``, the vectors of the covered copies.
        found: ``(matches, dimension)``, the vectors of the images that matched.

    Returns:
        ``(matches, GRID, GRID)``, 0..1: the fall of the cosine relative to the greatest one; all 0 if no patch matters
        by itself.
    """
    falls = np.maximum(found @ whole - patched @ found.T, 0).T.astype(np.float32)
    greatest = falls.max(axis=1, keepdims=True)
    relative = np.where(greatest >= LEAST, falls / np.maximum(greatest, LEAST), 0).astype(np.float32)
    return relative.reshape(-1, GRID, GRID)


def spread(heat: Floats, size: tuple[int, int]) -> Floats:
    """Interpolate the heat of patches ``(GRID, GRID)`` to pixels ``(height, width)``; ``size``: width, height."""
    width, height = size
    smooth = _weights(height) @ heat @ _weights(width).T
    return smooth.astype(np.float32)


def where(heat: Floats) -> str:
    """The region with the most heat, in words; empty if there is none."""
    if not heat.any():
        return ""
    thirds = [slice(0, 2), slice(2, 5), slice(5, 7)]
    means = np.array([[float(heat[down, across].mean()) for across in thirds] for down in thirds])
    down, across = np.unravel_index(int(means.argmax()), means.shape)
    return ZONES[int(down)][int(across)]


@cache
def _weights(pixels: int) -> Floats:
    """Weight of each patch for each pixel, ``(pixels, GRID)``: a Gaussian around its centre, normalised to sum 1."""
    place = np.clip((np.arange(pixels) + 0.5) / pixels * STEPS - 1, 0, GRID - 1)
    distance = (place[:, None] - np.arange(GRID)) / SPREAD
    bells = np.exp(-(distance**2) / 2)
    weights: Floats = (bells / bells.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights
