"""The catalogue's images as browsers want them: small, with a tag that says whether they have changed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock

from image_similarity.errors import ImageError
from image_similarity.images import as_jpeg, decode, read_bytes, thumbnail

WIDTHS = (64, 128, 160, 240, 320, 480, 640, 960, 1280)
"""Thumbnails are made in these, the next larger than asked for: anybody's numbers must not fill the memory."""
WHOLE = 25_000_000  # pixels of an image that is sent whole although no browser shows its file
MOST_BYTES = 64_000_000
QUALITY = 82
BROWSERS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image ready to be sent: its bytes, or the file that has them."""

    data: bytes
    media_type: str
    tag: str
    file: Path | None = None


class Thumbnails:
    """Reads images and makes thumbnails; any thread may ask.

    Args:
        max_pixels: as :func:`~image_similarity.images.decoding.decode` has it.
        most_bytes: of thumbnails that are kept in memory.
    """

    def __init__(self, max_pixels: int, most_bytes: int = MOST_BYTES) -> None:
        self._max_pixels, self._most_bytes = max_pixels, most_bytes
        self._made: OrderedDict[tuple[str, int, int, int], SentImage] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def send(self, path: Path, width: int | None) -> SentImage:
        """An image's file, or a JPEG of about so many pixels width.

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
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        if not side:
            return self._whole(path, f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"')  # large, and seldom asked for
        made = self._thumbnail(path, side)
        self._remember(key, made)
        return made

    def _whole(self, path: Path, tag: str) -> SentImage:
        data = read_bytes(path)
        kind = next((kind for start, kind in BROWSERS.items() if data.startswith(start)), None)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            kind = "image/webp"
        if kind is not None:  # the file is sent piece by piece: a client that does not read holds none of it in memory
            return SentImage(b"", kind, tag, path)
        image = decode(data, max_pixels=self._max_pixels, target_pixels=WHOLE)  # TIFF, HEIC: no browser shows them
        return _tagged(as_jpeg(image, QUALITY), "image/jpeg")

    def _thumbnail(self, path: Path, side: int) -> SentImage:
        # By its width, unless it is a strip.
        image = thumbnail(read_bytes(path), side, self._max_pixels, tallest=4 * side)
        return _tagged(as_jpeg(image, QUALITY), "image/jpeg")

    def _remember(self, key: tuple[str, int, int, int], made: SentImage) -> None:
        with self._lock:
            self._made[key] = made
            self._bytes += len(made.data)
            while self._bytes > self._most_bytes and len(self._made) > 1:
                _, oldest = self._made.popitem(last=False)
                self._bytes -= len(oldest.data)


def _tagged(data: bytes, media_type: str) -> SentImage:
    return SentImage(data, media_type, f'"{sha256(data).hexdigest()[:32]}"')
