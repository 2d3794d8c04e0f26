"""Images whose file was cut short: decoded all the same where next to nothing of their pixels is missing.

A decoder fills what is missing with something, and never says how much that is. So it is given two files that go on
differently after the cut: where both give the same pixels, these come from what is there.
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

MOST_MISSING = 0.05
"""Of an image's pixels, the share that may be missing."""
MOST_UNSHARP = 0.5
"""The share that may be missing of a JPEG's last pass, if it gives its numbers' last bit alone."""
JPEG_END = b"\xff\xd9"
NOISE = 4096  # bytes that go on after the cut


def repaired(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    """The decoded image; None where too much is missing, or where nobody can say how much.

    Args:
        plain: the file, which could not be decoded as it is.
        opened: opens one, without decoding it.
    """
    ways = {"JPEG": _jpeg, "WEBP": _webp, "PNG": _rows, "BMP": _rows, "TIFF": _rows}
    if file.kind not in ways:
        return None
    try:
        return ways[file.kind](file, opened)
    except OSError:  # it is not the end alone
        return None


def _jpeg(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    data = file.data.removesuffix(b"\xff")
    scans, end = jpeg.scans_of(data)
    if not jpeg.covers(data, scans):
        return None
    # Where whole passes give all but the last bit, the one that was cut only sharpens what is there.
    sharpens = jpeg.covers(data, [scan for scan in scans if scan.whole], left_out=1)
    image, other = (_loaded(opened(data[:end] + tail + JPEG_END)) for tail in (b"", _noise()))
    return image if _missing(image, other) <= (MOST_UNSHARP if sharpens else MOST_MISSING) else None


def _webp(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    lacking = webp.lacking(file.data)
    if not 0 < lacking <= len(file.data):
        return None
    noise = (_noise() * (lacking // NOISE + 1))[:lacking]
    image, other = (_loaded(opened(webp.ended(file.data, tail))) for tail in (bytes(lacking), noise))
    return image if _missing(image, other) <= MOST_MISSING else None


def _rows(file: StrippedFile, opened: Callable[[bytes], Image.Image]) -> Image.Image | None:
    """Of a format that is decoded row by row into an image that is there before."""
    image, other = opened(file.data), opened(file.data)
    if any(tile[0] not in ("raw", "zip") for tile in getattr(image, "tile", ())):
        return None
    _fill(image, 255)
    _fill(other, 0)
    if _missing(image, other) > MOST_MISSING:
        return None
    return image


def _fill(image: Image.Image, shade: int) -> None:
    colour = shade if len(image.getbands()) == 1 else (shade,) * len(image.getbands())
    image.im = Image.new(image.mode, image.size, colour).im
    with suppress(OSError):
        image.load()
    image.tile = []  # type: ignore[attr-defined] # of every opened file: what is still to be decoded


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return image


def _noise() -> bytes:
    return bytes(random.Random(1).choices(range(255), k=NOISE))  # noqa: S311 (no secret); 255 would begin a marker


def _missing(image: Image.Image, other: Image.Image) -> float:
    """The share of the pixels that two images of one file do not share."""
    width, height = image.size
    different = 0
    for top in range(0, height, 64):
        box = (0, top, width, min(height, top + 64))
        ours, theirs = np.asarray(image.crop(box)), np.asarray(other.crop(box))
        differ = ours != theirs
        different += int((differ.any(axis=2) if differ.ndim > 2 else differ).sum())
    return different / (width * height)
