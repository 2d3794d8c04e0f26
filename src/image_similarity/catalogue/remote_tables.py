"""Tables elsewhere: ``s3://bucket/key`` and ``https://`` addresses, copied to a temporary file before they are read."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from image_similarity.errors import CatalogueError
from image_similarity.settings import Settings

S3, WEB = ("s3://",), ("https://", "http://")
CHUNK = 1 << 20


def is_remote(location: str) -> bool:
    """Whether a table has to be fetched: it is on S3 or on the web."""
    return location.startswith((*S3, *WEB))


def is_on_web(location: str) -> bool:
    """Whether a table has an ``https://`` or ``http://`` address."""
    return location.startswith(WEB)


def shown_location(location: str) -> str:
    """A location for messages and records: of a web address without user, password and query, which may be secret.

    >>> shown_location("https://shop:secret@feeds.example/google.xml?token=1")
    'https://feeds.example/google.xml'
    """
    if not is_on_web(location):
        return location
    parts = urlsplit(location)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


@contextmanager
def fetched_once() -> Iterator[None]:
    """Within the block, fetch each table once and serve further reads from that copy.

    A job reads its catalogue several times, and must not mix two versions of a feed that changes in between. Also a
    decorator; nested in another block it has no effect.
    """
    if _copies.get() is not None:
        yield
        return
    copies = dict[tuple[str | None, ...], _Copy]()
    token = _copies.set(copies)
    try:
        yield
    finally:
        _copies.reset(token)
        for copy in copies.values():
            copy.file.close()


def open_remote(location: str, settings: Settings, region: str | None = None) -> BinaryIO:
    """Fetch a table into an unnamed temporary file, opened at its start; closing removes it.

    Raises:
        CatalogueError: there is no such table, no permission, no response, or it is larger than a table may be.
    """
    copies = _copies.get()
    if copies is None:
        return _fetched(location, settings, region)
    key = (location, region, settings.s3_endpoint, str(settings.config_file))
    if key not in copies:
        copies[key] = _Copy(_fetched(location, settings, region))
    return cast("BinaryIO", io.BufferedReader(_View(copies[key]), CHUNK))


def _fetched(location: str, settings: Settings, region: str | None) -> BinaryIO:
    file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115  the caller closes it
    try:
        if is_on_web(location):
            _fetch_from_web(location, file, settings.tables.unpacked_bytes)
        else:
            from image_similarity.catalogue.s3 import fetch_object

            fetch_object(location, file, settings, region)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _fetch_from_web(location: str, file: BinaryIO, most_bytes: int) -> None:
    from image_similarity.util.download import DownloadError, download

    shown = shown_location(location)
    try:
        download(location, file, most_bytes, lambda _: None)
    except DownloadError as error:
        raise CatalogueError(f"cannot fetch {shown}: {error}. Check the address and your access to it") from error
    except OSError as error:
        raise CatalogueError(f"cannot keep a copy of {shown}: {error.strerror or error}") from error
    if file.tell() > most_bytes:
        raise CatalogueError(f"{shown} is larger than the limit of {most_bytes} bytes")


@dataclass(slots=True)
class _Copy:
    """A fetched table, for several readers."""

    file: BinaryIO
    lock: Lock = field(default_factory=Lock)


class _View(io.RawIOBase):
    """One reader of a copy, with its own position."""

    def __init__(self, copy: _Copy) -> None:
        self._copy, self._position = copy, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._copy.lock:
            self._position = self._copy.file.seek(
                offset + (self._position if whence == io.SEEK_CUR else 0), whence // 2 * 2
            )
        return self._position

    def readinto(self, buffer: Any) -> int:
        with self._copy.lock:
            self._copy.file.seek(self._position)
            data = self._copy.file.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


_copies: ContextVar[dict[tuple[str | None, ...], _Copy] | None] = ContextVar("copies", default=None)
