"""Pictures that wait on the disk rather than in memory until somebody looks at them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from threading import Lock
from types import TracebackType
from typing import Self

IN_MEMORY = 1 << 20  # bytes of all of a spool's pictures together; more of them are on the disk


@dataclass(frozen=True, slots=True)
class Spooled:
    """One picture of a spool, as long as that is open."""

    spool: Spool
    start: int
    size: int
    sha256: bytes

    def read(self) -> bytes:
        """The picture's bytes."""
        return self.spool.read(self.start, self.size)


Picture = bytes | Spooled
"""A picture's file: in memory, or on the disk until it is wanted."""


def bytes_of(picture: Picture) -> bytes:
    """A picture's bytes. Ask where it is decoded, and let them go there."""
    return picture if isinstance(picture, bytes) else picture.read()


def digest_of(picture: Picture) -> bytes:
    """The SHA-256 of a picture's bytes."""
    return sha256(picture).digest() if isinstance(picture, bytes) else picture.sha256


class Spool:
    """A file without a name that holds pictures one after the other: a kill leaves nothing of it."""

    def __init__(self, folder: Path) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115  closed at the end of this
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def append(self, data: bytes) -> int:
        """Write at the end; where that was."""
        with self._lock:
            place = self._file.seek(0, 2)
            self._file.write(data)
            return place

    def read(self, start: int, size: int) -> bytes:
        """A part, from any thread."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


class Writing:
    """A picture on its way into a spool, in pieces. One at a time: the pieces of two would mix."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._start, self._size, self._digest = spool.append(b""), 0, sha256()

    def write(self, data: bytes) -> int:
        """The next piece."""
        self._spool.append(data)
        self._size += len(data)
        self._digest.update(data)
        return len(data)

    def done(self) -> Spooled:
        """The picture."""
        return Spooled(self._spool, self._start, self._size, self._digest.digest())
