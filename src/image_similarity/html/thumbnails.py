"""An image's file to a small JPEG inside the page: upright, on white, as a ``data:`` address."""

from __future__ import annotations

import stat
from functools import lru_cache
from pathlib import Path

from image_similarity.errors import ImageError
from image_similarity.images import as_jpeg, data_uri, read_bytes, thumbnail

SIDE = 280  # pixels of the longer side: sharp at the 160 to 210 that a card shows, on most screens
QUALITY = 74
MAX_PIXELS = 100_000_000  # an image that declares more is not decoded for the sake of a thumbnail
KEPT = 512  # about 4 MB of text; the answers of neighbouring rows overlap


def data_address(path: str) -> str | None:
    """The image as a ``data:image/jpeg`` address, or None when it cannot be read. Never looks beyond this machine."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        return None
    return _encode(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=KEPT)
def _encode(path: str, _changed: int, _size: int) -> str | None:
    """Time and size are part of the key: a notebook that lives for a week shows the image of today."""
    try:
        small = thumbnail(read_bytes(Path(path)), SIDE, MAX_PIXELS)
    except ImageError:
        return None
    return data_uri(as_jpeg(small, QUALITY, optimize=True))
