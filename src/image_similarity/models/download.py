"""A large file from the network: streamed, never longer than it may be, gone on with where a connection broke off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
TRIES = 5  # of a body that breaks off again and again
PAUSE = 0.5  # seconds before the next one
HEADERS = {"User-Agent": "image-similarity", "Accept-Encoding": "identity"}


class DownloadError(Exception):
    """Why a file did not come, for people; ``code`` is a hub's own word for it."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


def client() -> httpx.Client:
    """What asks."""
    import httpx

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(follow_redirects=True, timeout=timeout, headers=HEADERS)


def download(address: str, file: BinaryIO, most: int, told: Callable[[int], None]) -> None:
    """Write what is behind an address to a file, from its beginning.

    It ends without an error soon after ``most`` bytes, for the caller to see that this is another file. Where the
    connection breaks off and the server can give a rest, that is asked for; whoever needs to know that the pieces are
    of one file compares its digest.

    Args:
        address: http or https; redirects are followed.
        file: empty.
        most: bytes.
        told: told the bytes so far.

    Raises:
        DownloadError: it could not be had.
        OSError: the file cannot be written.
    """
    import httpx

    with client() as asking:
        for left in reversed(range(TRIES)):
            start, gives_rests = file.tell(), False
            try:
                with asking.stream("GET", address, headers={"Range": f"bytes={start}-"} if start else {}) as response:
                    response.raise_for_status()
                    gives_rests = response.headers.get("Accept-Ranges") == "bytes"
                    _copy(response, file, most, told)
                return
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last two: an address that is none
                if not (left and gives_rests and file.tell() > start and isinstance(error, httpx.TransportError)):
                    raise failure(error) from error
                time.sleep(PAUSE)
    raise AssertionError("unreachable: the last try returns or raises")


def failure(error: Exception) -> DownloadError:
    """One of httpx's errors in words for people."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        answer = error.response
        return DownloadError(f"the server answers {answer.status_code}", answer.headers.get("X-Error-Code", ""))
    return DownloadError(str(error) or type(error).__name__)


def _copy(response: httpx.Response, file: BinaryIO, most: int, told: Callable[[int], None]) -> None:
    if not response.headers.get("Content-Range", "").startswith(f"bytes {file.tell()}-"):
        file.seek(0)
        file.truncate()
    for chunk in response.iter_bytes():
        file.write(chunk)
        if file.tell() > most:
            return
        told(file.tell())
