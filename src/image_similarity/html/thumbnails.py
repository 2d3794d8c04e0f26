"""Thumbnails as ``data:`` URLs: small upright JPEGs on white, embedded in the page."""

from __future__ import annotations

import stat
from functools import lru_cache
from pathlib import Path

from image_similarity.errors import ImageError
from image_similarity.images import as_jpeg, data_uri, read_bytes, thumbnail

SIDE = 280  # pixels of the longer side: sharp on most screens at the 160 to 210 that a card shows
QUALITY = 74
MAX_PIXELS = 100_000_000  # an image that declares more is not decoded
KEPT = 512  # about 4 MB of text; the answers of neighbouring rows overlap


def data_address(path: str) -> str | None:
    """The image as a ``data:image/jpeg`` URL, or None if it cannot be read. Reads local files only."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block for ever
        return None
    return _encode(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=KEPT)
def _encode(path: str, _changed: int, _size: int) -> str | None:
    """A cached thumbnail. Time and size are part of the cache key, so that a changed file is encoded again."""
    try:
        small = thumbnail(read_bytes(Path(path)), SIDE, MAX_PIXELS)
    except ImageError:
        return None
    return data_uri(as_jpeg(small, QUALITY, optimize=True))
