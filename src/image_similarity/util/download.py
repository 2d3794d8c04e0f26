"""Download a large file: streamed, limited in size, and resumed where the connection breaks off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, BinaryIO

from image_similarity.util.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
TRIES = 5
PAUSE = 0.5  # seconds before the next try
HEADERS = {"User-Agent": "image-similarity", "Accept-Encoding": "identity"}


class DownloadError(Exception):
    """Why a download failed; ``code`` is the hub's error code."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


def http_client() -> httpx.Client:
    """A client that follows redirects, with this module's timeouts and headers."""
    import httpx

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx.Client(verify=tls_context(), follow_redirects=True, timeout=timeout, headers=HEADERS)


def download(address: str, file: BinaryIO, max_bytes: int, on_progress: Callable[[int], None]) -> None:
    """Download from an address into an empty file.

    Stops without an error after the chunk that exceeds ``max_bytes``: the caller compares the size. Where the
    connection breaks off and the server supports it, the rest is requested; whether all pieces are of the same file is
    for the caller to check by a digest.

    Args:
        address: http or https; redirects are followed.
        file: empty.
        max_bytes: the expected size, or a limit.
        on_progress: called with the number of bytes so far.

    Raises:
        DownloadError: it failed.
        OSError: the file cannot be written.
    """
    import httpx

    with http_client() as http:
        for left in reversed(range(TRIES)):
            start, resumable = file.tell(), False
            try:
                with http.stream("GET", address, headers={"Range": f"bytes={start}-"} if start else {}) as response:
                    response.raise_for_status()
                    resumable = response.headers.get("Accept-Ranges") == "bytes"
                    _copy(response, file, max_bytes, on_progress)
                return
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last two: an invalid address
                if not (left and resumable and file.tell() > start and isinstance(error, httpx.TransportError)):
                    raise download_error(error) from error
                time.sleep(PAUSE)
    raise AssertionError("unreachable: the last try returns or raises")


def download_error(error: Exception) -> DownloadError:
    """Turn one of httpx's errors into a :class:`DownloadError`."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        response = error.response
        return DownloadError(f"the server answers {response.status_code}", response.headers.get("X-Error-Code", ""))
    return DownloadError(str(error) or type(error).__name__)


def _copy(response: httpx.Response, file: BinaryIO, max_bytes: int, on_progress: Callable[[int], None]) -> None:
    if not response.headers.get("Content-Range", "").startswith(f"bytes {file.tell()}-"):
        file.seek(0)
        file.truncate()
    for chunk in response.iter_bytes():
        file.write(chunk)
        if file.tell() > max_bytes:
            return
        on_progress(file.tell())
