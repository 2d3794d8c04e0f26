"""Which pixels are the thing and which are what it lies on: colours of the middle against colours of the border.

No network: each pixel's colour is looked up in two histograms in CIELAB, one over a ring along the border and one that
counts the middle most; the share of the second is how surely it is of the thing. A studio's white falls away, and so
do lawns, floors and checked cloths, as long as the thing has other colours.
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
# Shares below which a pixel is surely background, and above which it is surely the thing. A plain background's own
# colour gets a half at most; elsewhere a share is also weighed by how near the middle it is.
ON_PLAIN, ON_ANYTHING = (0.5, 0.75), (0.3, 0.5)
LEAST = 20  # pixels; an image with less of a thing than this is taken whole
REACH = 2.2  # half the crop's side, in standard deviations of the thing's extent
ONE_COLOUR = 5.0  # distance in CIELAB
PLAIN = 0.9  # of the border
WHITE = 254
PADDED = 0.4  # of a side: a photo fills the side of its frame, a thing on white touches it here and there
LIGHT = 100.0


def thing(pixels: NDArray[np.uint8], lab: Floats) -> Floats:
    """How surely each pixel is of the thing, 0..1.

    Args:
        pixels: RGB ``(n, n, 3)``, perhaps padded with white to a square.
        lab: the same in CIELAB.
    """
    rows, columns = _frame(pixels)
    framed = lab[rows, columns]
    ring, middle = _weights(*framed.shape[:2])
    cell = _cells(framed)
    beside, within = _histogram(cell, ring)[cell], _histogram(cell, middle**2)[cell]
    likely = within / (within + beside + 1e-9)
    share = np.zeros(lab.shape[:2], np.float32)
    plain = _is_plain(framed[ring > 0])
    share[rows, columns] = _blurred(likely if plain else likely * middle)
    surely_not, surely = ON_PLAIN if plain else ON_ANYTHING
    mask: Floats = np.clip((share - surely_not) / (surely - surely_not), 0, 1).astype(np.float32)
    return mask if mask.sum() >= LEAST else np.ones_like(mask)


def cropped(lightness: Floats, mask: Floats) -> Floats:
    """The thing alone on white, brought to fill a square of the same size."""
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
    """Whether the border is of one colour, as in a studio: then colour alone tells, wherever in the image."""
    distance = np.linalg.norm(border - np.median(border, axis=0), axis=-1)
    return bool((distance < ONE_COLOUR).mean() > PLAIN)


def _frame(pixels: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The photo inside its white padding."""
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
    """The ring along the border, and a hill over the middle (its square is what the histogram counts with)."""
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
    """Shares of colours, each spread to its neighbours: shades of one cloth fall into more than one cell."""
    counted: Floats = np.bincount(cell.ravel(), weights.ravel(), int(np.prod(BINS))).astype(np.float32).reshape(BINS)
    for axis in range(3):
        counted = _smoothed(counted, axis)
    shares: Floats = (counted / max(float(counted.sum()), 1e-9)).ravel()
    return shares


def _smoothed(values: Floats, axis: int) -> Floats:
    """A quarter of each neighbour and a half of itself."""
    moved = np.moveaxis(values, axis, 0)
    smooth: Floats = np.float32(0.5) * moved
    smooth[1:] += np.float32(0.25) * moved[:-1]
    smooth[:-1] += np.float32(0.25) * moved[1:]
    return np.moveaxis(smooth, 0, axis)


def _blurred(share: Floats) -> Floats:
    return _smoothed(_smoothed(share, 0), 1)
