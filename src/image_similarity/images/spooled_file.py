"""An image's file that waits on the disk rather than in memory until somebody looks at it."""

from __future__ import annotations

import weakref
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock

IN_MEMORY = 1 << 19  # bytes; most images of shops have fewer, and a longer one is on the disk


class SpooledImage:
    """An image that is written in pieces and read as a whole, from any thread.

    It has no name on the disk and goes with the last who holds it: neither a kill nor an error leaves anything.
    """

    def __init__(self, folder: Path) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115  closed by what follows
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
        """Of what was written."""
        return self._digest.digest()


ImageData = bytes | SpooledImage
"""An image's file: in memory, or on the disk until it is wanted."""


def bytes_of(image: ImageData) -> bytes:
    """An image's bytes. Ask where it is decoded, and let them go there."""
    return image if isinstance(image, bytes) else image.read()


def digest_of(image: ImageData) -> bytes:
    """The SHA-256 of an image's bytes."""
    return sha256(image).digest() if isinstance(image, bytes) else image.sha256
