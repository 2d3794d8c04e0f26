"""Separate the object from its background, by the colours in the middle against the colours at the border.

No network: each pixel's colour is looked up in two histograms in CIELAB, one over a ring along the border and one that
counts the middle most; the share of the second is the probability of the foreground. This removes a studio's white, but
also lawns, floors and checked cloths, as long as the object has other colours.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

BINS = (8, 12, 12)
LOW = np.array([0, -60, -60], np.float32)
STEP = np.array([100 / 8, 10, 10], np.float32)
RING = 0.1  # of the shorter side
MIDDLE = 0.33  # standard deviation of the middle's weights, of each side
# Shares up to which a pixel is background, and from which it is foreground. A plain background's own colour has a share
# of a half at most; on other backgrounds shares are also weighted by the distance from the middle.
ON_PLAIN, ON_OTHER = (0.5, 0.75), (0.3, 0.5)
MIN_PIXELS = 20  # an image with less foreground than this is taken whole
REACH = 2.2  # half the crop's side, in standard deviations of the foreground's extent
ONE_COLOUR = 5.0  # distance in CIELAB
PLAIN = 0.9  # of the border
WHITE = 254
PADDED = 0.4  # of a side: a padded photo fills the side of its frame, a product on white touches it only in places
LIGHT = 100.0


def foreground_mask(pixels: NDArray[np.uint8], lab: Floats) -> Floats:
    """The probability of each pixel to be foreground, 0..1; all ones where hardly any is.

    Args:
        pixels: RGB ``(n, n, 3)``, possibly padded with white to a square.
        lab: the same in CIELAB.
    """
    rows, columns = _frame(pixels)
    framed = lab[rows, columns]
    ring, middle = _weights(*framed.shape[:2])
    cell = _cells(framed)
    at_border, in_middle = _histogram(cell, ring)[cell], _histogram(cell, middle**2)[cell]
    ratio = in_middle / (in_middle + at_border + 1e-9)
    share = np.zeros(lab.shape[:2], np.float32)
    plain = _is_plain(framed[ring > 0])
    share[rows, columns] = _blurred(ratio if plain else ratio * middle)
    background, foreground = ON_PLAIN if plain else ON_OTHER
    mask: Floats = np.clip((share - background) / (foreground - background), 0, 1).astype(np.float32)
    return mask if mask.sum() >= MIN_PIXELS else np.ones_like(mask)


def crop_foreground(lightness: Floats, mask: Floats) -> Floats:
    """The foreground on white, cropped and scaled to fill a square of the same size."""
    size = len(mask)
    position = np.arange(size, dtype=np.float32) + 0.5
    total = mask.sum()
    spread, centre = 0.0, []
    for share in (mask.sum(axis=0) / total, mask.sum(axis=1) / total):
        middle = float((share * position).sum())
        centre.append(middle)
        spread = max(spread, float((share * (position - middle) ** 2).sum()) ** 0.5)
    half = max(REACH * spread, size / 12)
    box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    alone = Image.fromarray(lightness * mask + LIGHT * (1 - mask))
    crop = alone.transform((size, size), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR, fillcolor=LIGHT)
    return np.asarray(crop)


def _is_plain(border: Floats) -> bool:
    """Whether the border has one colour, as in a studio: then colour alone decides, regardless of the position."""
    distance = np.linalg.norm(border - np.median(border, axis=0), axis=-1)
    return bool((distance < ONE_COLOUR).mean() > PLAIN)


def _frame(pixels: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The rows and columns of the photo, without white padding."""
    white = np.logical_and.reduce(pixels >= WHITE, axis=-1)
    return _unpadded(white), _unpadded(white.T)


def _unpadded(white: NDArray[np.bool_]) -> slice:
    filled = np.flatnonzero(~white.all(axis=1))
    if not len(filled):
        return slice(None)
    first, last = int(filled[0]), int(filled[-1])
    padding = first, len(white) - 1 - last
    full = min((~white[first]).mean(), (~white[last]).mean()) > PADDED
    return slice(first, last + 1) if full and padding[0] and abs(padding[0] - padding[1]) <= 1 else slice(None)


@cache
def _weights(height: int, width: int) -> tuple[Floats, Floats]:
    """The weights of the ring along the border, and a Gaussian over the middle (its square weights the histogram)."""
    thick = max(2, int(RING * min(height, width)))
    ring = np.ones((height, width), np.float32)
    ring[thick : height - thick, thick : width - thick] = 0
    down, across = (
        ((np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side * MIDDLE)) ** 2 for side in (height, width)
    )
    return ring, np.exp(-(down[:, None] + across) / 2)


def _cells(lab: Floats) -> NDArray[np.intp]:
    steps = ((lab - LOW) / STEP).astype(np.intp)
    light, red, blue = (np.clip(steps[..., axis], 0, count - 1) for axis, count in enumerate(BINS))
    cells: NDArray[np.intp] = (light * BINS[1] + red) * BINS[2] + blue
    return cells


def _histogram(cell: NDArray[np.intp], weights: Floats) -> Floats:
    """Shares of colours, smoothed over neighbouring cells: shades of one material fall into more than one cell."""
    counted: Floats = np.bincount(cell.ravel(), weights.ravel(), int(np.prod(BINS))).astype(np.float32).reshape(BINS)
    for axis in range(3):
        counted = _smoothed(counted, axis)
    shares: Floats = (counted / max(float(counted.sum()), 1e-9)).ravel()
    return shares


def _smoothed(values: Floats, axis: int) -> Floats:
    """Smooth along an axis: half of each value and a quarter of each neighbour."""
    moved = np.moveaxis(values, axis, 0)
    smooth: Floats = np.float32(0.5) * moved
    smooth[1:] += np.float32(0.25) * moved[:-1]
    smooth[:-1] += np.float32(0.25) * moved[1:]
    return np.moveaxis(smooth, 0, axis)


def _blurred(share: Floats) -> Floats:
    return _smoothed(_smoothed(share, 0), 1)
