"""Numbers of any width to eight bits, a strip at a time: what decoders have no image for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from image_similarity.images.stripped_file import SampleLayout

STRIP = 1 << 16  # pixels that are converted together
BYTE, TWO_BYTES = 8, 16  # bits
WHOLE_TOPS = (0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF)  # of whole numbers of 32 bits and more: what is full light
FRACTION_TOPS = {2.0: 1.0, 512.0: 255.0, 131072.0: 65535.0}  # of fractions: up to so much, this is full light
UNSIGNED, SIGNED, FRACTIONS = 1, 2, 3  # a TIFF's formats of numbers
CODES = {UNSIGNED: "u", SIGNED: "i", FRACTIONS: "f"}
WHOLE_BYTES = (8, 16, 32, 64)  # bits of numbers that numpy has
DIFFERENCES, BYTES_OF_FRACTIONS = 2, 3  # predictors
MODES = {(1, 0): "L", (1, 1): "La", (1, 2): "LA", (3, 0): "RGB", (3, 1): "RGBa", (3, 2): "RGBA", (4, 0): "CMYK"}
"""By the number of colours, and what transparency is."""


def strips(size: tuple[int, int], factor: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Of so many rows that whole ones are left where so many become one."""
    width, height = size
    rows = max(1, STRIP // max(1, width) // factor) * factor
    for top in range(0, height, rows):
        yield 0, top, width, min(height, top + rows)


def light(values: NDArray[Any], top: float) -> NDArray[np.uint8]:
    """Numbers as shades of eight bits; ``top`` is full light, and what is no number is none."""
    with np.errstate(invalid="ignore", over="ignore"):
        shades = values * np.float64(255.0 / top)
        np.clip(shades, 0, 255, out=shades)
        shades += 1e-9
        return np.nan_to_num(shades, copy=False).astype(np.uint8)


def to_eight_bits(image: Image.Image, layout: SampleLayout) -> Image.Image:
    """What a TIFF shows whose bytes were decoded as a grey image: an image of eight bits."""
    mode = MODES[layout.colours, layout.alpha]
    made = Image.new(mode, layout.size)
    colours, used = layout.colours, len(made.getbands())
    tops = _tops(image, layout, used)
    for box in strips(layout.size):
        values = _samples(image, layout, box[1], box[3])[..., :used]
        shades = np.concatenate([light(values[..., :colours], tops[0]), light(values[..., colours:], tops[1])], axis=2)
        if layout.white_is_zero:
            shades[..., :colours] = 255 - shades[..., :colours]
        strip = Image.frombuffer(mode, (box[2], box[3] - box[1]), shades.tobytes(), "raw", mode, 0, 1)
        made.paste(strip, (0, box[1]))
    return made


def _tops(image: Image.Image, layout: SampleLayout, used: int) -> tuple[float, float]:
    """The number that is full light, and the one that lets none through."""
    if layout.format != FRACTIONS and layout.bits <= TWO_BYTES:
        top = float((1 << layout.bits - (layout.format == SIGNED)) - 1)
        return top, top
    largest = [0.0, 0.0]
    for box in strips(layout.size):
        values = _samples(image, layout, box[1], box[3])[..., :used]
        for place, some in enumerate((values[..., : layout.colours], values[..., layout.colours :])):
            largest[place] = max(largest[place], float(some.max(initial=0, where=np.isfinite(some))))
    return _top(largest[0], layout), _top(largest[1], layout)


def _top(largest: float, layout: SampleLayout) -> float:
    if layout.format == FRACTIONS:
        return next((top for most, top in FRACTION_TOPS.items() if largest <= most), largest)
    whole = float((1 << layout.bits - (layout.format == SIGNED)) - 1)
    return float(next((top for top in WHOLE_TOPS if largest <= top < whole), whole))


def _samples(image: Image.Image, layout: SampleLayout, top: int, bottom: int) -> NDArray[Any]:
    """The numbers of some rows: ``(rows, width, samples)``."""
    if not layout.plane:
        return _unpacked(image, layout, top, bottom, layout.samples)
    planes = range(layout.samples)
    each = [_unpacked(image, layout, p * layout.plane + top, p * layout.plane + bottom, 1) for p in planes]
    return np.concatenate(each, axis=2)


def _unpacked(image: Image.Image, layout: SampleLayout, top: int, bottom: int, together: int) -> NDArray[Any]:
    """The same of rows of bytes in which so many channels are together."""
    packed = np.asarray(image.crop((0, top, image.width, bottom)))
    pieces = -(-layout.size[0] // layout.columns)
    packed = packed.reshape(len(packed) * pieces, -1)
    values = (_whole if layout.bits in WHOLE_BYTES else _of_bits)(packed, layout, together)
    return values.reshape(bottom - top, pieces * layout.columns, together)[:, : layout.size[0]]


def _whole(packed: NDArray[np.uint8], layout: SampleLayout, together: int) -> NDArray[Any]:
    size, order, rows = layout.bits // BYTE, layout.order, len(packed)
    if layout.predictor == BYTES_OF_FRACTIONS:  # all first bytes of a row, then all second ones
        whole = packed.reshape(rows, -1, together).cumsum(axis=1, dtype=np.uint8)
        packed, order = np.ascontiguousarray(whole.reshape(rows, size, -1).transpose(0, 2, 1)).reshape(rows, -1), ">"
    values = packed.view(f"{order}u{size}").astype(f"u{size}").reshape(rows, -1, together)
    if layout.predictor == DIFFERENCES:
        values = values.cumsum(axis=1, dtype=values.dtype)
    return values.view(f"{CODES[layout.format]}{size}")


def _of_bits(packed: NDArray[np.uint8], layout: SampleLayout, together: int) -> NDArray[Any]:
    """Numbers that are packed bit by bit, or in three bytes each."""
    bits, many = layout.bits, layout.columns * together
    if bits % BYTE == 0 and layout.order == "<":
        packed = packed.reshape(len(packed), -1, bits // BYTE)[..., ::-1].reshape(len(packed), -1)
    single = np.unpackbits(packed, axis=1, count=many * bits).reshape(len(packed), many, bits)
    return single @ (1 << np.arange(bits - 1, -1, -1, dtype=np.uint32))
