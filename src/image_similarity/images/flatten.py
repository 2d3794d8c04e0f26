"""A decoded picture of any mode to RGB of eight bits on white, a strip at a time: no second copy in wider numbers."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageCms

from image_similarity.images.plain import MOST_PROFILE, Shades

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

WHITE = (255, 255, 255)
STRIP = 1 << 18  # pixels that are converted together
BYTE, TWO_BYTES = 8, 16  # bits
WHOLE_TOPS = (0xFF, 0xFFFF, 0xFFFFFF)  # of whole numbers of 32 bits: what is full light, by the largest of them
FRACTION_TOPS = {2.0: 1.0, 512.0: 255.0, 131072.0: 65535.0}  # of fractions: up to so much, this is full light
UNSIGNED, SIGNED = 1, 2  # a TIFF's formats of numbers


def flatten(image: Image.Image, profile: object, shades: Shades | None, factor: int = 1) -> Image.Image:
    """Any mode to RGB: numbers scaled, transparency over white, colours through the embedded profile to sRGB.

    Args:
        image: decoded; it is not changed.
        profile: as it is embedded; one that says sRGB, does not fit or is damaged changes nothing.
        shades: what a TIFF says of its numbers.
        factor: so many pixels a side become one.
    """
    if image.format == "BMP" or (image.format == "TIFF" and shades is not None and not shades.alpha):
        image = _without_empty_alpha(image)
    scale = _scaling(image, shades)
    colours = _colours(image, profile)
    if image.mode == "RGB" and colours is None and not image.has_transparency_data:
        return image if factor == 1 else image.reduce(factor)
    flat = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for box in _strips(image.size, factor):
        strip = image.crop(box)
        strip = _flat(strip if scale is None else scale(strip), colours)
        flat.paste(strip if factor == 1 else strip.reduce(factor), (0, box[1] // factor))
    return flat


def _strips(size: tuple[int, int], factor: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Of so many rows that whole ones are left where so many become one."""
    width, height = size
    rows = max(1, STRIP // max(1, width) // factor) * factor
    for top in range(0, height, rows):
        yield 0, top, width, min(height, top + rows)


def _flat(image: Image.Image, colours: Callable[[Image.Image], Image.Image] | None) -> Image.Image:
    """A strip of eight bits to RGB."""
    if image.has_transparency_data:
        seen = _through_alpha(image)
        flat = Image.new("RGB", image.size, WHITE)
        opaque = seen.convert("RGB")
        flat.paste(opaque if colours is None else colours(opaque), mask=seen.getchannel("A"))
        return flat
    if image.mode == "P":
        image = image.convert("RGB")
    if colours is not None:
        image = colours(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _through_alpha(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    return image.convert("RGBA")


def _without_empty_alpha(image: Image.Image) -> Image.Image:
    """A fourth channel that is 0 everywhere is no transparency where no file says that it is one."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        return image.convert("RGB")
    return image


# Numbers -----------------------------------------------------------------------------------------------------------


def _scaling(image: Image.Image, shades: Shades | None) -> Callable[[Image.Image], Image.Image] | None:
    """How a strip's numbers become eight bits; None where they are."""
    said = shades or Shades(bits=TWO_BYTES if image.mode.startswith("I;16") else 32, format=SIGNED)
    if image.mode.startswith("I"):
        clear = image.info.get("transparency")  # of a grey PNG: one shade, in the file's own bits
        return partial(_scaled, image.mode, _top(image, said), said, clear if isinstance(clear, int) else None)
    if image.mode == "F":
        return partial(_scaled, "F", _fraction_top(image, said), said, None)
    if image.mode == "L" and shades is not None and (shades.format, shades.bits) == (SIGNED, BYTE):
        return partial(_scaled, "L", 127.0, said, None)
    clear = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(clear, tuple) and max(clear) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in clear)  # of its pixels Pillow keeps a byte
    return None


def _scaled(mode: str, top: float, shades: Shades, clear: int | None, strip: Image.Image) -> Image.Image:
    values = _numbers(strip, mode, shades)
    with np.errstate(invalid="ignore", over="ignore"):
        light = np.nan_to_num(np.clip(values.astype(np.float64) * (255.0 / top), 0, 255) + 1e-9)
    if shades.white_is_zero:
        light = 255 - light
    grey = Image.fromarray(light.astype(np.uint8))
    return grey if clear is None else Image.merge("LA", (grey, Image.fromarray(values != clear).convert("L")))


def _numbers(strip: Image.Image, mode: str, shades: Shades) -> NDArray[Any]:
    values: NDArray[Any] = np.asarray(strip)
    if shades.swapped and mode in ("I", "F"):
        values = (values.astype(np.int16) if shades.bits == TWO_BYTES else values).byteswap()
    if mode == "I" and shades.bits > TWO_BYTES and shades.format == UNSIGNED:
        return values.view(np.uint32)  # Pillow has no such mode
    return values.view(np.int8) if mode == "L" else values


def _top(image: Image.Image, shades: Shades) -> float:
    """The number that is full light."""
    if image.mode.startswith("I;16"):
        return float((1 << shades.bits) - 1) if shades.bits <= TWO_BYTES else 65535.0
    largest = max(int(_numbers(image.crop(box), "I", shades).max(initial=0)) for box in _strips(image.size))
    if shades.bits <= TWO_BYTES:
        return 32767.0
    return float(
        next((top for top in WHOLE_TOPS if largest <= top), 0xFFFFFFFF if shades.format == UNSIGNED else 0x7FFFFFFF)
    )


def _fraction_top(image: Image.Image, shades: Shades) -> float:
    largest = 0.0
    for box in _strips(image.size):
        values = _numbers(image.crop(box), "F", shades)
        largest = max(largest, float(values.max(initial=0.0, where=np.isfinite(values))))
    return next((top for most, top in FRACTION_TOPS.items() if largest <= most), largest)


# Colours -----------------------------------------------------------------------------------------------------------


def _colours(image: Image.Image, profile: object) -> Callable[[Image.Image], Image.Image] | None:
    """How a strip of RGB, CMYK or LAB becomes sRGB; None where it is, or as Pillow has it."""
    mode = "CMYK" if image.mode == "CMYK" else "RGB"
    if image.mode == "LAB":
        return _transform(ImageCms.createProfile("LAB"), "LAB")
    if not isinstance(profile, bytes) or len(profile) > MOST_PROFILE or image.mode in ("L", "1", "F", "YCbCr"):
        return None
    if image.mode.startswith("I"):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return None
        return _transform(source, mode)
    except Exception:  # a profile is no reason to lose a picture
        return None


def _transform(source: Any, mode: str) -> Callable[[Image.Image], Image.Image]:
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")

    def applied(strip: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(strip, transform)
        return strip if converted is None else converted

    return applied
