"""Picture files for tests, made in memory: ordinary ones through Pillow, odd ones byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RED, GREEN, BLUE, YELLOW, WHITE = (255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 0), (255, 255, 255)
CORNERS = (RED, GREEN, BLUE, YELLOW)  # of four_corners: top left, top right, bottom left, bottom right
GREY_PNG, RGB_PNG, GREY_ALPHA_PNG = 0, 2, 4  # PNG's colour types
ORIENTATION = 0x0112  # EXIF's tag


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture's file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def four_corners(width: int = 48, height: int = 32) -> Image.Image:
    """Four rectangles of four colours: no turn and no flip leaves it as it is."""
    image = Image.new("RGB", (width, height))
    for position, colour in enumerate(CORNERS):
        down, across = divmod(position, 2)
        image.paste(colour, (across * width // 2, down * height // 2, width, height))
    return image


def corners_of(image: Image.Image) -> NDArray[np.int64]:
    """The colours in the middles of the four quarters, in the order of :data:`CORNERS`."""
    width, height = image.size
    places = [(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    return np.array([image.getpixel(place) for place in places])


def alike(found: Any, expected: Any, tolerance: int = 0) -> bool:
    """Whether colours agree, up to what a lossy format changes."""
    return bool((np.abs(np.asarray(found, int) - np.asarray(expected, int)) <= tolerance).all())


def orientation(value: int) -> Image.Exif:
    """EXIF that says how the camera was held."""
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def png(width: int, height: int, bits: int, colour_type: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG with any header; ``rows`` are the pixels without PNG's filter bytes; ``extra`` are chunks before them."""
    length = len(rows) // height if height else 0
    filtered = b"".join(b"\0" + rows[row * length : (row + 1) * length] for row in range(height)) if rows else b""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(filtered)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def sixteen_bits(*values: int) -> bytes:
    """Samples of a sixteen-bit PNG."""
    return struct.pack(f">{len(values)}H", *values)


def enormous_png(side: int = 30_000) -> bytes:
    """A whole, valid, black picture of ``side`` x ``side`` pixels of one bit, in a file of some hundred kilobytes."""
    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, GREY_PNG, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
