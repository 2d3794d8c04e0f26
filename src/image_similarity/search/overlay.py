"""Overlay a heat map on a photo: regions that contribute keep their colours and glow, the rest turns pale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from image_similarity.search.occlusion import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

GLOW = np.array([[255, 214, 64], [255, 122, 24], [214, 24, 48]], np.float32)  # from low to high heat
PALE = 0.72  # how far pixels without heat are blended with white
STRONGEST = 0.55  # maximum opacity of the glow
START, CLEAR = 0.45, 0.6  # heat from which on it glows, and from which on the photo keeps its colours


def overlay(image: Image.Image, heat: NDArray[np.float32]) -> Image.Image:
    """The photo with an overlay of ``heat``, ``(GRID, GRID)``, 0..1."""
    warmth = spread(heat, image.size)[..., None]
    warmth /= max(float(warmth.max()), 1e-6)
    photo = np.asarray(image, np.float32)
    grey = np.asarray(ImageOps.grayscale(image), np.float32)[..., None]
    cold = grey + PALE * (255 - grey)
    mixed = cold + (photo - cold) * np.minimum(warmth / CLEAR, 1) ** 1.5
    hot = np.clip((warmth - START) / (1 - START), 0, 1)
    colour = np.stack([np.interp(hot[..., 0], [0, 0.5, 1], GLOW[:, channel]) for channel in range(3)], axis=-1)
    glowing = mixed + (colour - mixed) * (STRONGEST * hot)
    return Image.fromarray(np.clip(glowing, 0, 255).astype(np.uint8))
