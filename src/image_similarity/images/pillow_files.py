"""An image's file as Pillow opens it, of the kinds that are read here.

Pillow's own ``Image.open`` asks a registry and holds every image against a limit, both of which belong to the program
that this library is a guest of. Here the file's first bytes say which of Pillow's classes reads it.
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
    "JPEG": "PIL.JpegImagePlugin:JpegImageFile",  # not one of several images, as phones' are
    "PNG": "PIL.PngImagePlugin:PngImageFile",
    "GIF": "PIL.GifImagePlugin:GifImageFile",
    "WEBP": "PIL.WebPImagePlugin:WebPImageFile",
    "BMP": "PIL.BmpImagePlugin:BmpImageFile",
    "TIFF": "PIL.TiffImagePlugin:TiffImageFile",
    "AVIF": "PIL.AvifImagePlugin:AvifImageFile",
    "HEIF": "pillow_heif.as_plugin:HeifImageFile",  # an extra, which takes longer to import than Pillow
}
"""What is read. Of Pillow's forty others some run programs, some declare one size and decode another."""
STARTS = {
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
"""What a file in boxes may be, by its first brand; any other is HEIC's."""


def open_image(data: bytes) -> ImageFile:
    """Look at a file's header; its pixels are decoded when they are needed.

    Raises:
        UnidentifiedImageError: it is no such image.
        Exception: whatever a codec raises on hostile bytes.
    """
    for kind in _kinds_of(data):
        opened = _class_of(kind)
        if opened is not None:
            try:
                return opened(io.BytesIO(data))
            except (SyntaxError, IndexError, TypeError, struct.error):  # how Pillow's classes say that it is not theirs
                continue
    raise UnidentifiedImageError("cannot identify the image")


def make_room(image: ImageFile) -> None:
    """Give a TIFF the memory for its pixels, which Pillow gives only as far as the host program's limit reaches.

    Other kinds need nothing: Pillow holds them against that limit in ``Image.open`` alone.
    """
    if image.format == "TIFF":
        image.im = Image.new(image.mode, getattr(image, "_tile_size", image.size)).im


def reads(kind: str) -> bool:
    """Whether there is what reads such images."""
    return _class_of(kind) is not None


def _kinds_of(data: bytes) -> tuple[str, ...]:
    if data[4:8] == b"ftyp":
        return BRANDS.get(data[8:12], ("HEIF",))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ("WEBP",)
    return tuple(kind for start, kind in STARTS.items() if data.startswith(start))


@cache
def _class_of(kind: str) -> Callable[[io.BytesIO], ImageFile] | None:
    module, _, name = CLASSES[kind].partition(":")
    try:
        found: Any = getattr(import_module(module), name)
    except ImportError:
        return None
    return found  # type: ignore[no-any-return]
