"""Resample an image: with SIMD instructions where their package is installed, elsewhere the same filter with Pillow.

On product photos the two differ by less than a tenth of a grey level on average; SIMD is five to eleven times as fast.
With Pillow, resampling a JPEG takes longer than decoding it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from image_similarity.types import Interpolation

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIMD_FILTERS = {"box": "box", "bilinear": "bilinear", "bicubic": "catmull_rom", "lanczos": "lanczos3"}
"""Their names in the SIMD package. Not "nearest": the first version's networks need exactly the pixels of Pillow's."""


def resampled(
    image: Image.Image,
    size: tuple[int, int],
    interpolation: Interpolation,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """An RGB image at another size; ``box``: the part of it to use (left, top, right, bottom)."""
    simd = _simd()
    if simd is None or interpolation not in SIMD_FILTERS:
        return image.resize(size, FILTERS[interpolation], box=box)
    algorithm = simd.ResizeAlg.convolution(simd.FilterType[SIMD_FILTERS[interpolation]])
    crop = None if box is None else simd.CropBox(box[0], box[1], box[2] - box[0], box[3] - box[1])
    made = Image.new("RGB", size)
    simd.Resizer().resize_pil(image, made, simd.ResizeOptions(algorithm, crop_box=crop))
    return made


@cache
def _simd() -> Any:
    try:
        return import_module("cykooz_resizer")
    except ImportError:  # no wheel for this processor
        return None
