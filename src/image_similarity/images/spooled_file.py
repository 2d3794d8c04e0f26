"""A picture's file that waits on the disk rather than in memory until somebody looks at it."""

from __future__ import annotations

import weakref
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock

IN_MEMORY = 1 << 19  # bytes; most images of shops have fewer, and a longer one is on the disk


class Spooled:
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


Picture = bytes | Spooled
"""A picture's file: in memory, or on the disk until it is wanted."""


def bytes_of(picture: Picture) -> bytes:
    """A picture's bytes. Ask where it is decoded, and let them go there."""
    return picture if isinstance(picture, bytes) else picture.read()


def digest_of(picture: Picture) -> bytes:
    """The SHA-256 of a picture's bytes."""
    return sha256(picture).digest() if isinstance(picture, bytes) else picture.sha256
