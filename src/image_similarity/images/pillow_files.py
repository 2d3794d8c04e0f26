"""Open an image's file with Pillow, for the supported formats only.

Pillow's ``Image.open`` uses a registry of formats and a size limit that belong to the host program. Here the file's
first bytes select the Pillow class that reads it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

CLASSES = {
    "JPEG": "PIL.JpegImagePlugin:JpegImageFile",  # not MPO, the several images in one file of some phones
    "PNG": "PIL.PngImagePlugin:PngImageFile",
    "GIF": "PIL.GifImagePlugin:GifImageFile",
    "WEBP": "PIL.WebPImagePlugin:WebPImageFile",
    "BMP": "PIL.BmpImagePlugin:BmpImageFile",
    "TIFF": "PIL.TiffImagePlugin:TiffImageFile",
    "AVIF": "PIL.AvifImagePlugin:AvifImageFile",
    "HEIF": "pillow_heif.as_plugin:HeifImageFile",  # an extra, which takes longer to import than Pillow
}
"""The supported formats. Of Pillow's forty others some run programs, some declare one size and decode another."""
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
BRANDS = {b"avif": ("AVIF",), b"avis": ("AVIF",), b"mif1": ("AVIF", "HEIF"), b"msf1": ("AVIF", "HEIF")}
"""The formats of an ISO media file (``ftyp``) by its first brand; any other brand is HEIC."""


def open_image(data: bytes) -> ImageFile:
    """Read a file's header; its pixels are decoded later.

    Raises:
        UnidentifiedImageError: not an image of a supported format.
        Exception: whatever a codec raises on hostile bytes.
    """
    for kind in _kinds_of(data):
        opener = _class_of(kind)
        if opener is not None:
            try:
                return opener(io.BytesIO(data))
            except (SyntaxError, IndexError, TypeError, struct.error):  # how Pillow's classes reject another format
                continue
    raise UnidentifiedImageError("cannot identify the image")


def allocate(image: ImageFile) -> None:
    """Allocate the pixels of a TIFF, which Pillow refuses above the host program's size limit.

    Other formats need nothing: Pillow checks them against that limit in ``Image.open`` only.
    """
    if image.format == "TIFF":
        image.im = Image.new(image.mode, getattr(image, "_tile_size", image.size)).im


def is_supported(kind: str) -> bool:
    """Whether the Pillow plugin for a format is installed."""
    return _class_of(kind) is not None


def _kinds_of(data: bytes) -> tuple[str, ...]:
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], ("HEIF",))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ("WEBP",)
    return tuple(kind for start, kind in SIGNATURES.items() if data.startswith(start))


@cache
def _class_of(kind: str) -> Callable[[io.BytesIO], ImageFile] | None:
    module, _, name = CLASSES[kind].partition(":")
    try:
        found: Any = getattr(import_module(module), name)
    except ImportError:
        return None
    return found  # type: ignore[no-any-return]
