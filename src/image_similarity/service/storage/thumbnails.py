"""The catalogue's images for browsers: thumbnails in a few widths, with an ETag."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from image_similarity.errors import ImageError
from image_similarity.images import as_jpeg, decode, read_bytes, thumbnail

WIDTHS = (64, 128, 160, 240, 320, 480, 640, 960, 1280)
"""Widths of thumbnails; a request gets the next larger one, so that arbitrary widths cannot fill the memory."""
WHOLE = 25_000_000  # pixels at most of an image that is converted to JPEG because browsers cannot show its format
MOST_BYTES = 64_000_000
QUALITY = 82
BROWSERS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


@dataclass(frozen=True, slots=True)
class ImageContent:
    """An image to send: its bytes, or the file that has them."""

    data: bytes
    media_type: str
    tag: str
    file: Path | None = None


class Thumbnails:
    """Reads images and makes thumbnails, with a cache in memory. Thread-safe.

    Args:
        max_pixels: as in :func:`~image_similarity.images.decoding.decode`.
        most_bytes: size of the cache.
    """

    def __init__(self, max_pixels: int, most_bytes: int = MOST_BYTES) -> None:
        self._max_pixels, self._most_bytes = max_pixels, most_bytes
        self._cache: OrderedDict[tuple[str, int, int, int], ImageContent] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def load(self, path: Path, width: int | None) -> ImageContent:
        """A JPEG of about ``width`` pixels; None: the image itself.

        Raises:
            ImageError: it cannot be read, or is no image.
        """
        try:
            stat = path.stat()
        except OSError as error:
            raise ImageError("read", error.strerror or "it cannot be read") from error
        side = 0 if width is None else next((each for each in WIDTHS if each >= width), WIDTHS[-1])
        key = (str(path), stat.st_mtime_ns, stat.st_size, side)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        if not side:
            return self._whole(path, f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"')  # large and seldom requested: no cache
        content = self._thumbnail(path, side)
        self._store(key, content)
        return content

    def _whole(self, path: Path, tag: str) -> ImageContent:
        data = read_bytes(path)
        kind = next((kind for start, kind in BROWSERS.items() if data.startswith(start)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "image/webp"
        if kind is not None:  # the file is sent in pieces: a client that does not read keeps none of it in memory
            return ImageContent(b"", kind, tag, path)
        image = decode(data, max_pixels=self._max_pixels, target_pixels=WHOLE)  # TIFF, HEIC: no browser shows them
        return _tagged(as_jpeg(image, QUALITY), "image/jpeg")

    def _thumbnail(self, path: Path, side: int) -> ImageContent:
        # Scaled by width, except for tall strips.
        image = thumbnail(read_bytes(path), side, self._max_pixels, tallest=4 * side)
        return _tagged(as_jpeg(image, QUALITY), "image/jpeg")

    def _store(self, key: tuple[str, int, int, int], content: ImageContent) -> None:
        with self._lock:
            self._cache[key] = content
            self._bytes += len(content.data)
            while self._bytes > self._most_bytes and len(self._cache) > 1:
                _, oldest = self._cache.popitem(last=False)
                self._bytes -= len(oldest.data)


def _tagged(data: bytes, media_type: str) -> ImageContent:
    return ImageContent(data, media_type, f'"{sha256(data).hexdigest()[:32]}"')
