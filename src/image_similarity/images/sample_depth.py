"""Convert samples of any bit depth to eight bits, strip by strip: formats that Pillow does not decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from image_similarity.images.stripped_file import SampleLayout

STRIP = 1 << 16  # pixels that are converted at a time
BYTE, TWO_BYTES = 8, 16  # bits
INTEGER_RANGES = (0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF)  # possible maxima of integers of 32 bits and more
FLOAT_RANGES = {2.0: 1.0, 512.0: 255.0, 131072.0: 65535.0}  # of floats: up to the key, the value is the maximum
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # a TIFF's sample formats
CODES = {UNSIGNED: "u", SIGNED: "i", FLOAT: "f"}
NUMPY_BITS = (8, 16, 32, 64)  # bits of numpy's number types
DIFFERENCES, FLOAT_BYTES = 2, 3  # predictors
MODES = {(1, 0): "L", (1, 1): "La", (1, 2): "LA", (3, 0): "RGB", (3, 1): "RGBa", (3, 2): "RGBA", (4, 0): "CMYK"}
"""Pillow's modes, by the number of colours and the kind of alpha (0 none, 1 premultiplied, 2 straight)."""


def strips(size: tuple[int, int], factor: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of strips of an image; their height is a multiple of ``factor``, except for the last."""
    width, height = size
    rows = max(1, STRIP // max(1, width) // factor) * factor
    for top in range(0, height, rows):
        yield 0, top, width, min(height, top + rows)


def to_shades(values: NDArray[Any], top: float) -> NDArray[np.uint8]:
    """Scale samples to 8 bits; ``top`` becomes 255, and NaN becomes 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        shades = values * np.float64(255.0 / top)
        np.clip(shades, 0, 255, out=shades)
        shades += 1e-9
        return np.nan_to_num(shades, copy=False).astype(np.uint8)


def to_eight_bits(image: Image.Image, layout: SampleLayout) -> Image.Image:
    """The 8-bit image of a TIFF whose bytes were decoded as a grey image."""
    mode = MODES[layout.colours, layout.alpha]
    made = Image.new(mode, layout.size)
    colours, used = layout.colours, len(made.getbands())
    maxima = _maxima(image, layout, used)
    for box in strips(layout.size):
        values = _samples(image, layout, box[1], box[3])[..., :used]
        shades = np.concatenate(
            [to_shades(values[..., :colours], maxima[0]), to_shades(values[..., colours:], maxima[1])], axis=2
        )
        if layout.white_is_zero:
            shades[..., :colours] = 255 - shades[..., :colours]
        strip = Image.frombuffer(mode, (box[2], box[3] - box[1]), shades.tobytes(), "raw", mode, 0, 1)
        made.paste(strip, (0, box[1]))
    return made


def _maxima(image: Image.Image, layout: SampleLayout, used: int) -> tuple[float, float]:
    """The maximum of the colours, and that of the alpha channel."""
    if layout.format != FLOAT and layout.bits <= TWO_BYTES:
        top = float((1 << layout.bits - (layout.format == SIGNED)) - 1)
        return top, top
    largest = [0.0, 0.0]
    for box in strips(layout.size):
        values = _samples(image, layout, box[1], box[3])[..., :used]
        for place, some in enumerate((values[..., : layout.colours], values[..., layout.colours :])):
            largest[place] = max(largest[place], float(some.max(initial=0, where=np.isfinite(some))))
    return _maximum(largest[0], layout), _maximum(largest[1], layout)


def _maximum(largest: float, layout: SampleLayout) -> float:
    if layout.format == FLOAT:
        return next((top for most, top in FLOAT_RANGES.items() if largest <= most), largest)
    whole = float((1 << layout.bits - (layout.format == SIGNED)) - 1)
    return float(next((top for top in INTEGER_RANGES if largest <= top < whole), whole))


def _samples(image: Image.Image, layout: SampleLayout, top: int, bottom: int) -> NDArray[Any]:
    """The samples of some rows: ``(rows, width, samples)``."""
    if not layout.plane:
        return _unpacked(image, layout, top, bottom, layout.samples)
    planes = range(layout.samples)
    each = [_unpacked(image, layout, p * layout.plane + top, p * layout.plane + bottom, 1) for p in planes]
    return np.concatenate(each, axis=2)


def _unpacked(image: Image.Image, layout: SampleLayout, top: int, bottom: int, channels: int) -> NDArray[Any]:
    """The samples of rows of bytes in which ``channels`` channels are interleaved."""
    packed = np.asarray(image.crop((0, top, image.width, bottom)))
    pieces = -(-layout.size[0] // layout.columns)
    packed = packed.reshape(len(packed) * pieces, -1)
    values = (_from_bytes if layout.bits in NUMPY_BITS else _from_bits)(packed, layout, channels)
    return values.reshape(bottom - top, pieces * layout.columns, channels)[:, : layout.size[0]]


def _from_bytes(packed: NDArray[np.uint8], layout: SampleLayout, channels: int) -> NDArray[Any]:
    size, order, rows = layout.bits // BYTE, layout.order, len(packed)
    if layout.predictor == FLOAT_BYTES:  # all first bytes of a row, then all second bytes
        whole = packed.reshape(rows, -1, channels).cumsum(axis=1, dtype=np.uint8)
        packed, order = np.ascontiguousarray(whole.reshape(rows, size, -1).transpose(0, 2, 1)).reshape(rows, -1), ">"
    values = packed.view(f"{order}u{size}").astype(f"u{size}").reshape(rows, -1, channels)
    if layout.predictor == DIFFERENCES:
        values = values.cumsum(axis=1, dtype=values.dtype)
    return values.view(f"{CODES[layout.format]}{size}")


def _from_bits(packed: NDArray[np.uint8], layout: SampleLayout, channels: int) -> NDArray[Any]:
    """Unpack samples of any number of bits, or of three bytes."""
    bits, many = layout.bits, layout.columns * channels
    if bits % BYTE == 0 and layout.order == "<":
        packed = packed.reshape(len(packed), -1, bits // BYTE)[..., ::-1].reshape(len(packed), -1)
    single = np.unpackbits(packed, axis=1, count=many * bits).reshape(len(packed), many, bits)
    return single @ (1 << np.arange(bits - 1, -1, -1, dtype=np.uint32))
