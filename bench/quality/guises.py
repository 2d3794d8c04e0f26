"""What may be done to a picture before a network sees it: its background taken away, parts cut from it, turned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from image_similarity.images.crops import PLACES, SHARE
from image_similarity.models.cielab import cielab
from image_similarity.models.foreground import thing

Array = np.ndarray[Any, Any]
Guise = Callable[[Image.Image], Image.Image]
MASK_SIDE = 128  # pixels that the thing is looked for at
POOR = (0.03, 0.85)  # a mask that covers less or more of the picture is not believed
SURE = 0.5
MARGIN = 0.06


def mask_of(picture: Image.Image) -> Image.Image | None:
    """Where the thing is, ``L`` of the picture's size; None where the mask is poor.

    Colours of the middle against colours of the border, as ``colour-shape`` has it (``models/foreground.py``).
    """
    side = MASK_SIDE / max(picture.size)
    small = picture.resize([max(8, round(each * side)) for each in picture.size], Image.Resampling.BOX)
    canvas = Image.new("RGB", (MASK_SIDE, MASK_SIDE), (255, 255, 255))
    corner = ((MASK_SIDE - small.width) // 2, (MASK_SIDE - small.height) // 2)
    canvas.paste(small, corner)
    pixels = np.asarray(canvas)
    found = thing(pixels, cielab(pixels))
    inside = found[corner[1] : corner[1] + small.height, corner[0] : corner[0] + small.width]
    if not POOR[0] <= inside.mean() <= POOR[1]:
        return None
    mask = Image.fromarray((inside * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(5))
    return mask.resize(picture.size, Image.Resampling.BILINEAR)


def neutral(picture: Image.Image) -> Image.Image:
    """The thing on white; the picture itself where the mask is poor."""
    mask = mask_of(picture)
    return picture if mask is None else Image.composite(picture, Image.new("RGB", picture.size, (255, 255, 255)), mask)


def _box(picture: Image.Image) -> tuple[int, int, int, int] | None:
    mask = mask_of(picture)
    if mask is None:
        return None
    sure = np.asarray(mask) > 255 * SURE
    rows, columns = (np.flatnonzero(sure.mean(axis=axis) > 0.02) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return None
    more = round(MARGIN * max(picture.size))
    return (
        max(0, int(columns[0]) - more),
        max(0, int(rows[0]) - more),
        min(picture.width, int(columns[-1]) + more),
        min(picture.height, int(rows[-1]) + more),
    )


def tight(picture: Image.Image) -> Image.Image:
    """The box around the thing, background and all; the picture itself where the mask is poor."""
    box = _box(picture)
    return picture if box is None else picture.crop(box)


def neutral_and_tight(picture: Image.Image) -> Image.Image:
    """The thing alone on white, filling the frame."""
    box = _box(picture)
    return picture if box is None else neutral(picture).crop(box)


def _crop(across: float, down: float) -> Guise:
    def cut(picture: Image.Image) -> Image.Image:
        width, height = (round(side * SHARE) for side in picture.size)
        left, top = round((picture.width - width) * across), round((picture.height - height) * down)
        return picture.crop((left, top, left + width, top + height))

    return cut


CROPS = ("middle", "upper left", "upper right", "lower left", "lower right")
GUISES: dict[str, Guise] = {
    "as it is": lambda picture: picture,
    "neutral": neutral,
    "tight": tight,
    "neutral and tight": neutral_and_tight,
    "mirrored": ImageOps.mirror,
    "flipped": ImageOps.flip,
    **{
        f"turned {angle}": (lambda picture, angle=angle: picture.rotate(angle, expand=True)) for angle in (90, 180, 270)
    },
    **{name: _crop(*place) for name, place in zip(CROPS, PLACES, strict=True)},
}
VIEWS = ("as it is", "mirrored", "flipped", "turned 90", "turned 180", "turned 270")
