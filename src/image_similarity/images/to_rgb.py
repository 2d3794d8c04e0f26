"""Convert a decoded image of any mode to 8-bit RGB on white, strip by strip to save memory."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

from image_similarity.images.sample_depth import strips, to_shades
from image_similarity.images.stripped_file import MAX_PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable

WHITE = (255, 255, 255)
SIXTEEN_BITS = 65535.0


def flatten(image: Image.Image, profile: object, factor: int = 1, *, has_alpha: bool = True) -> Image.Image:
    """Any mode to RGB: scale samples, composite over white, convert colours from the embedded profile to sRGB.

    Args:
        image: decoded; it is not changed.
        profile: the embedded one; one that is sRGB, does not fit or is damaged changes nothing.
        factor: reduce each side by this factor.
        has_alpha: the file declares its last channel as transparency; otherwise one of zeros only is ignored.
    """
    if not has_alpha:
        image = _without_empty_alpha(image)
    scale = _scaling(image)
    colours = _colours(image, profile)
    if image.mode == "RGB" and colours is None and not image.has_transparency_data:
        return image if factor == 1 else image.reduce(factor)
    flat = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for box in strips(image.size, factor):
        strip = image.crop(box)
        strip = _flat(strip if scale is None else scale(strip), colours)
        flat.paste(strip if factor == 1 else strip.reduce(factor), (0, box[1] // factor))
    return flat


def _flat(image: Image.Image, colours: Callable[[Image.Image], Image.Image] | None) -> Image.Image:
    """An 8-bit strip to RGB."""
    if image.has_transparency_data:
        transparent = _to_rgba(image)
        flat = Image.new("RGB", image.size, WHITE)
        opaque = transparent.convert("RGB")
        flat.paste(opaque if colours is None else colours(opaque), mask=transparent.getchannel("A"))
        return flat
    if image.mode == "P":
        image = image.convert("RGB")
    if colours is not None:
        image = colours(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_rgba(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA")


def _without_empty_alpha(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA") and image.getchannel("A").getextrema() == (0, 0):
        return image.convert(image.mode.removesuffix("A"))
    return image


# Samples -----------------------------------------------------------------------------------------------------------


def _scaling(image: Image.Image) -> Callable[[Image.Image], Image.Image] | None:
    """The conversion of a strip to eight bits; None where it has them already."""
    clear = image.info.get("transparency")  # of a grey PNG: one shade, in the file's bit depth
    if image.mode.startswith("I"):
        return partial(_scaled, clear if isinstance(clear, int) else None)
    if image.mode == "RGB" and isinstance(clear, tuple) and max(clear) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in clear)  # Pillow keeps one byte per sample
    return None


def _scaled(clear: int | None, strip: Image.Image) -> Image.Image:
    values = np.asarray(strip)
    grey = Image.fromarray(to_shades(values, SIXTEEN_BITS))
    return grey if clear is None else Image.merge("LA", (grey, Image.fromarray(values != clear).convert("L")))


# Colours -----------------------------------------------------------------------------------------------------------


def _colours(image: Image.Image, profile: object) -> Callable[[Image.Image], Image.Image] | None:
    """The conversion of a strip of RGB, CMYK or LAB to sRGB; None where Pillow's default is right."""
    mode = "CMYK" if image.mode == "CMYK" else "RGB"
    if image.mode == "LAB":
        return _transform(ImageCms.createProfile("LAB"), "LAB")
    if not isinstance(profile, bytes) or len(profile) > MAX_PROFILE or image.mode in ("L", "1", "F", "YCbCr"):
        return None
    if image.mode.startswith("I"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return _transform(source, mode)
    except Exception:  # a bad profile must not lose an image
        return None


def _transform(source: Any, mode: str) -> Callable[[Image.Image], Image.Image]:
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")

    def applied(strip: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(strip, transform)
        return strip if converted is None else converted

    return applied
