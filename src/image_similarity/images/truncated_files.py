"""Decode truncated files, if almost none of their pixels are missing.

A decoder fills in missing pixels and never reports how many. So two files are decoded that continue differently after
the truncation: the pixels that agree come from the actual data.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from image_similarity.images import jpeg, webp

if TYPE_CHECKING:
    from collections.abc import Callable

    from image_similarity.images.stripped_file import StrippedFile

MAX_MISSING = 0.05
"""The share of an image's pixels that may be missing."""
MAX_MISSING_REFINEMENT = 0.5
"""The share that may be missing of a JPEG's last scan, if that only refines the last bit of the coefficients."""
JPEG_END = b"\xff\xd9"
NOISE = 4096  # bytes appended after the truncation


def repaired(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    """The decoded image; None where too much is missing, or where the amount is unknown.

    Args:
        file: a file whose decoding failed.
        opened: opens a file's bytes without decoding them.
    """
    decoders = {"JPEG": _jpeg, "WEBP": _webp, "PNG": _rows, "BMP": _rows, "TIFF": _rows}
    if file.kind not in decoders:
        return None
    try:
        return decoders[file.kind](file, opened)
    except OSError:  # damaged elsewhere too
        return None


def _jpeg(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    data = file.data.removesuffix(b"\xff")
    scans, end = jpeg.scans_of(data)
    if not jpeg.covers(data, scans):
        return None
    # Where complete scans give all but the last bit, the truncated scan only refines that bit.
    refines = jpeg.covers(data, [scan for scan in scans if scan.complete], left_out=1)
    image, other = (_loaded(opened(data[:end] + tail + JPEG_END)) for tail in (b"", _noise()))
    return image if _missing(image, other) <= (MAX_MISSING_REFINEMENT if refines else MAX_MISSING) else None


def _webp(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    missing = webp.missing_bytes(file.data)
    if not 0 < missing <= len(file.data):
        return None
    noise = (_noise() * (missing // NOISE + 1))[:missing]
    image, other = (_loaded(opened(webp.extended(file.data, tail))) for tail in (bytes(missing), noise))
    return image if _missing(image, other) <= MAX_MISSING else None


def _rows(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    """Decode a format whose rows are written into an existing image, over two different backgrounds."""
    image, other = opened(file.data), opened(file.data)
    if any(tile[0] not in ("raw", "zip") for tile in getattr(image, "tile", ())):
        return None
    _fill(image, 255)
    _fill(other, 0)
    if _missing(image, other) > MAX_MISSING:
        return None
    return image


def _fill(image: Image.Image, shade: int) -> None:
    colour = shade if len(image.getbands()) == 1 else (shade,) * len(image.getbands())
    image.im = Image.new(image.mode, image.size, colour).im
    with suppress(OSError):
        image.load()
    image.tile = []  # type: ignore[attr-defined] # of every opened file: the parts still to decode


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return image


def _noise() -> bytes:
    return bytes(random.Random(1).choices(range(255), k=NOISE))  # noqa: S311 (no secret); 255 would begin a marker


def _missing(image: Image.Image, other: Image.Image) -> float:
    """The share of pixels that differ between two decodings of one file."""
    width, height = image.size
    different = 0
    for top in range(0, height, 64):
        box = (0, top, width, min(height, top + 64))
        ours, theirs = np.asarray(image.crop(box)), np.asarray(other.crop(box))
        differ = ours != theirs
        different += int((differ.any(axis=2) if differ.ndim > 2 else differ).sum())
    return different / (width * height)
