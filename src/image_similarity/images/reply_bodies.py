"""Decompress a response body piece by piece, with a size limit before and after decompression.

Servers often declare a wrong Content-Encoding (`aws-chunked`, `utf-8`, `none`, `gzip` for uncompressed data), so the
first bytes decide where they can: an image's signature is taken as an image, a gzip header is decompressed.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import httpx

ACCEPT_HEADERS = {
    # The supported formats by name: for `image/*` a server may send JPEG XL or SVG.
    "Accept": "image/jpeg, image/png, image/webp, image/gif, image/avif;q=0.9, image/bmp;q=0.8, image/tiff;q=0.8, "
    "*/*;q=0.1",
    "Accept-Encoding": "identity",  # images are compressed already
}
GZIP = b"\x1f\x8b"
GZIP_NAMES, DEFLATE = frozenset(("gzip", "x-gzip")), "deflate"
UNSUPPORTED = frozenset(("br", "zstd", "compress", "x-compress", "dcb", "dcz"))
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
PART = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})")
HEAD = 12  # bytes that identify a format
MAX_LAYERS = 3  # gzip within gzip does occur; more is hostile
PIECE = 1 << 16
RETRY_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504, *range(520, 528), 530))
"""Statuses worth another try; from 520 on they are Cloudflare's."""


class Sink(Protocol):
    """Receives the pieces of a body."""

    def write(self, data: bytes, /) -> object: ...


class ReplyError(Exception):
    """A body that cannot be used, and could not be after another try; the message says why."""


class TooLargeError(ReplyError):
    """A body larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"larger than {limit} bytes")


def is_complete(response: httpx.Response) -> bool:
    """Whether a response is the whole file; some servers send it as one part (206), some proxies with status 203."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        part = PART.fullmatch(response.headers.get("content-range", "").strip())
        return part is not None and int(part[1]) + 1 == int(part[2])
    return response.status_code in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)


async def copy_body(response: httpx.Response, limit: int, to: Sink) -> int:
    """Write an open response's body, decompressed, to ``to``; returns the bytes written.

    Raises:
        TooLargeError: it has more than ``limit`` bytes, declared, compressed or decompressed.
        ReplyError: it is empty, damaged, or its compression is not supported.
        httpx.HTTPError: the connection failed.
    """
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > limit:
        raise TooLargeError(limit)
    encodings = (each.strip().lower() for each in response.headers.get("content-encoding", "").split(","))
    codings = [each for each in encodings if each in GZIP_NAMES or each == DEFLATE or each in UNSUPPORTED]
    size = 0
    async for piece in _decompressed(_bounded(response.aiter_raw(PIECE), limit), codings[::-1], limit):
        to.write(piece)
        size += len(piece)
    if not size:
        raise ReplyError("the response is empty")
    return size


async def _bounded(pieces: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLargeError(limit)
        yield piece


async def _decompressed(
    pieces: AsyncIterator[bytes], codings: Sequence[str], limit: int, depth: int = 0
) -> AsyncIterator[bytes]:
    """Remove all layers of compression; ``codings``: the declared ones, outermost first."""
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= HEAD:
            break
    whole = _prepended(head, pieces)
    coding = codings[0] if codings else ""
    if head.startswith(GZIP):
        window = zlib.MAX_WBITS | 16
    elif _is_image(head) or not coding or not head:
        async for piece in whole:
            yield piece
        return
    elif coding == DEFLATE:
        window = zlib.MAX_WBITS if _has_zlib_header(head) else -zlib.MAX_WBITS
    elif coding in UNSUPPORTED:
        raise ReplyError(f"the response is compressed as {coding!r}, which was not requested")
    else:
        raise ReplyError("the response's compression is damaged")
    if depth == MAX_LAYERS:
        raise ReplyError(f"the response is compressed more than {MAX_LAYERS} times")
    async for piece in _decompressed(_bounded(_inflated(whole, window), limit), codings[1:], limit, depth + 1):
        yield piece


async def _prepended(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for piece in rest:
        yield piece


async def _inflated(pieces: AsyncIterator[bytes], window: int) -> AsyncIterator[bytes]:
    """Decompress in small pieces: a few bytes may expand to gigabytes."""
    inflater = zlib.decompressobj(wbits=window)
    try:
        async for compressed in pieces:
            piece = compressed
            while piece and not inflater.eof:
                yield inflater.decompress(piece, PIECE)
                piece = inflater.unconsumed_tail
                await asyncio.sleep(0)  # let other tasks run in between
        while not inflater.eof and (piece := inflater.decompress(b"", PIECE)):
            yield piece
    except zlib.error:
        raise ReplyError("the response's compression is damaged") from None
    if not inflater.eof:
        raise ReplyError("the response's compression ends early")


def _is_image(head: bytes) -> bool:
    return head.startswith(SIGNATURES) or head[4:8] == b"ftyp"


def _has_zlib_header(head: bytes) -> bool:
    return len(head) > 1 and head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
