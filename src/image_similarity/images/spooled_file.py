"""An image's file that is kept on disk rather than in memory until it is decoded."""

from __future__ import annotations

import weakref
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock

IN_MEMORY = 1 << 19  # bytes; most shop images are smaller, and larger ones go to disk


class SpooledImage:
    """An image that is written in pieces and read as a whole, from any thread.

    The file has no name on disk and is freed with the last reference, so neither a kill nor an error leaves it behind.
    """

    def __init__(self, folder: Path) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115  closed by the finalizer
        self._lock, self._digest = Lock(), sha256()
        weakref.finalize(self, self._file.close)

    def write(self, data: bytes) -> int:
        with self._lock:
            self._digest.update(data)
            return self._file.write(data)

    def read(self) -> bytes:
        with self._lock:
            self._file.seek(0)
            data = self._file.read()
            self._file.seek(0, 2)
            return data

    @property
    def sha256(self) -> bytes:
        """The digest of the bytes written so far."""
        return self._digest.digest()


ImageData = bytes | SpooledImage
"""An image's file: in memory, or on disk until it is decoded."""


def bytes_of(image: ImageData) -> bytes:
    """An image's bytes. Call this where it is decoded and keep no reference, so that memory stays small."""
    return image if isinstance(image, bytes) else image.read()


def digest_of(image: ImageData) -> bytes:
    """The SHA-256 of an image's bytes."""
    return sha256(image).digest() if isinstance(image, bytes) else image.sha256
