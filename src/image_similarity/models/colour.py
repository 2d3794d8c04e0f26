"""``colour``: a colour histogram of an image without its white pixels. It sees neither shapes nor objects.

It is meant to complement a network: ``--model VGG+0.2*colour``. Square roots of the shares of 8 x 16 x 16 colours in
CIELAB, so that the cosine of two images is the Bhattacharyya coefficient of their colours (Aherne, Thacker and
Rockett, "The Bhattacharyya metric as an absolute similarity measure for frequency coded data", 1998). The number of
bins was chosen by measurement (docs/notes/quality.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.models.cielab import encoded_lab, histogram
from image_similarity.models.colour_record import BINS, SPEC
from image_similarity.models.unit_vectors import unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WHITE = 246  # a pixel whose darkest channel is at least this is background


class Colour:
    """An :class:`~image_similarity.types.EmbeddingModel` of colours alone."""

    spec = SPEC

    def embed(self, pixels: NDArray[np.uint8]) -> Floats:
        """RGB ``(n, 128, 128, 3)`` to unit vectors ``(n, 2048)``."""
        described = [_describe(image) for image in pixels]
        return unit_length(np.stack(described) if described else np.empty((0, SPEC.dimension), np.float32), SPEC.name)


def _describe(pixels: NDArray[np.uint8]) -> Floats:
    darkest = np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])  # thirty times as fast as min()
    inside = darkest < WHITE
    if not inside.any():  # a white product on white, or an empty image: white is its colour
        inside[:] = True
    lab = encoded_lab(pixels[inside][None])[0]
    roots: Floats = np.sqrt(histogram(lab, np.ones(len(lab), np.float32), BINS))
    return roots
