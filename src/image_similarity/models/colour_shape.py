"""``colour-shape``: hand-crafted features of an image's colours and outlines. No weights, no training, no network.

It does not recognise objects: two round red ones are alike to it. It is meant for a first run without internet, and as
the baseline that any network must beat. Pillow resamples and converts to CIELAB; the rest are histograms:

* shape, 576 numbers: the object, cut out (see ``foreground``) and scaled to one size, as gradient orientations of its
  lightness in 8 x 8 cells (Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005),
  unsigned, 9 bins, both interpolations, square roots in place of block normalisation;
* colour, 144 numbers: the shares of 4 x 6 x 6 colours in CIELAB, without the background;
* layout, 64 numbers: how much of each of 4 x 4 fields is covered, and its mean colour.

The weights of the three were chosen on a real catalogue (docs/models.md): shape first, colour to break its ties.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.models.cielab import EPSILON, count, decoded_lab, encoded_lab, histogram
from image_similarity.models.colour_shape_record import CELLS, COLOUR_BINS, FIELDS, ORIENTATIONS, SIZE, SPEC
from image_similarity.models.foreground import crop_foreground, foreground_mask
from image_similarity.models.unit_vectors import unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

COLOUR_WEIGHT, LAYOUT_WEIGHT = 0.2, 0.1
LAYOUT_SCALE = np.array([50.0, 40.0, 40.0], np.float32)  # brings lightness and the two colour axes to one range
WHITE_LAB = np.array([100.0, 0.0, 0.0], np.float32)


class ColourShape:
    """An :class:`~image_similarity.types.EmbeddingModel` without weights."""

    spec = SPEC

    def embed(self, pixels: NDArray[np.uint8]) -> Floats:
        """RGB ``(n, 96, 96, 3)`` to unit vectors ``(n, 784)``."""
        return np.stack([_describe(image) for image in pixels]) if len(pixels) else np.empty((0, SPEC.dimension), "f4")


def _describe(pixels: NDArray[np.uint8]) -> Floats:
    encoded = encoded_lab(pixels)
    lab = decoded_lab(encoded)
    foreground = foreground_mask(pixels, lab)
    parts = (
        (1.0, _shape(crop_foreground(lab[..., 0], foreground))),
        (COLOUR_WEIGHT, _colour(encoded, foreground)),
        (LAYOUT_WEIGHT, _layout(lab, foreground)),
    )
    joined = np.concatenate([weight * unit_length(part[None], SPEC.name)[0] for weight, part in parts])
    described: Floats = unit_length(joined.astype(np.float32)[None], SPEC.name)[0]
    return described


def _shape(lightness: Floats) -> Floats:
    down, across = np.zeros_like(lightness), np.zeros_like(lightness)
    down[1:-1] = lightness[2:] - lightness[:-2]
    across[:, 1:-1] = lightness[:, 2:] - lightness[:, :-2]
    strength = np.hypot(down, across)
    position = (np.arctan2(down, across) % np.pi) * (ORIENTATIONS / np.pi) - 0.5
    lower = np.floor(position).astype(np.intp)
    share = position - lower
    pixel = np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
    planes = count((lower % ORIENTATIONS) * SIZE**2 + pixel, strength * (1 - share), ORIENTATIONS * SIZE**2)
    planes += count(((lower + 1) % ORIENTATIONS) * SIZE**2 + pixel, strength * share, ORIENTATIONS * SIZE**2)
    cells = _cell_weights() @ planes.reshape(ORIENTATIONS, SIZE, SIZE) @ _cell_weights().T
    return np.sqrt(cells.transpose(1, 2, 0).ravel()).astype(np.float32)


@cache
def _cell_weights() -> Floats:
    """The weight of each of the 96 rows in each of the 8 cells: a triangle two cells wide."""
    side = SIZE // CELLS
    centres = (np.arange(CELLS) + 0.5) * side
    distance = np.abs(np.arange(SIZE) + 0.5 - centres[:, None]) / side
    weights: Floats = np.maximum(0, 1 - distance).astype(np.float32)
    return weights


def _colour(encoded: NDArray[np.uint8], foreground: Floats) -> Floats:
    """Square roots of the shares of 144 colours; each pixel is shared among the eight nearest bins."""
    inside = foreground > 0  # on most images a third of the pixels
    roots: Floats = np.sqrt(histogram(encoded[inside], foreground[inside], COLOUR_BINS))
    return roots


def _layout(lab: Floats, foreground: Floats) -> Floats:
    side = SIZE // FIELDS
    covered = foreground.reshape(FIELDS, side, FIELDS, side).mean(axis=(1, 3))
    weighted = (lab * foreground[..., None]).reshape(FIELDS, side, FIELDS, side, 3).mean(axis=(1, 3))
    colour = weighted / np.maximum(covered, EPSILON)[..., None]
    relative = (colour - WHITE_LAB) / LAYOUT_SCALE * covered[..., None]
    return np.concatenate([relative.ravel(), covered.ravel()]).astype(np.float32)
