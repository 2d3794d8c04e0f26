"""A reply's body: unpacked a little at a time, and bounded both as it comes and as it unpacks.

What a server says of its bodies is often wrong (`aws-chunked`, `utf-8`, `none`, `gzip` for what is not packed), so
their first bytes decide wherever they can: an image is an image, and what begins like gzip is unpacked.
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
    # By name, the ones that are read: to `image/*` a server may send JPEG XL or a drawing.
    "Accept": "image/jpeg, image/png, image/webp, image/gif, image/avif;q=0.9, image/bmp;q=0.8, image/tiff;q=0.8, "
    "*/*;q=0.1",
    "Accept-Encoding": "identity",  # images are packed already
}
GZIP = b"\x1f\x8b"
PACKED, DEFLATED = frozenset(("gzip", "x-gzip")), "deflate"
NOT_READ = frozenset(("br", "zstd", "compress", "x-compress", "dcb", "dcz"))
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
PART = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})")
HEAD = 12  # bytes that tell what something is
MOST_LAYERS = 3  # gzip in gzip is seen; nobody means more
PIECE = 1 << 16
RETRY_STATUSES = frozenset((408, 425, 429, 500, 502, 503, 504, *range(520, 528), 530))
"""Answers that may be others a moment later; from 520 on they are Cloudflare's."""


class Sink(Protocol):
    """Whatever takes the pieces of a body."""

    def write(self, data: bytes, /) -> object: ...


class ReplyError(Exception):
    """A body that is of no use, and will be of none the next time; the message says why."""


class TooLargeError(ReplyError):
    """A body that is larger than it may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"larger than {most} bytes")


def is_complete(response: httpx.Response) -> bool:
    """Whether a reply is a whole file: some servers call it part of itself, some proxies their own."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        part = PART.fullmatch(response.headers.get("content-range", "").strip())
        return part is not None and int(part[1]) + 1 == int(part[2])
    return response.status_code in (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)


async def copy_body(response: httpx.Response, most: int, to: Sink) -> int:
    """Write an open reply's body, unpacked, to a file; the bytes written.

    Raises:
        TooLargeError: it has more than ``most`` bytes, declared, packed or unpacked.
        ReplyError: it is empty, damaged, or packed in a way that is not read.
        httpx.HTTPError: the connection failed.
    """
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > most:
        raise TooLargeError(most)
    said = (each.strip().lower() for each in response.headers.get("content-encoding", "").split(","))
    codings = [each for each in said if each in PACKED or each == DEFLATED or each in NOT_READ]
    size = 0
    async for piece in _peeled(_bounded(response.aiter_raw(PIECE), most), codings[::-1], most):
        to.write(piece)
        size += len(piece)
    if not size:
        raise ReplyError("the response is empty")
    return size


async def _bounded(pieces: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most:
            raise TooLargeError(most)
        yield piece


async def _peeled(
    pieces: AsyncIterator[bytes], codings: Sequence[str], most: int, depth: int = 0
) -> AsyncIterator[bytes]:
    """A body without what it is packed in; ``codings``: those that were declared, the outermost first."""
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= HEAD:
            break
    whole = _after(head, pieces)
    coding = codings[0] if codings else ""
    if head.startswith(GZIP):
        window = zlib.MAX_WBITS | 16
    elif _is_image(head) or not coding or not head:
        async for piece in whole:
            yield piece
        return
    elif coding == DEFLATED:
        window = zlib.MAX_WBITS if _has_zlib_header(head) else -zlib.MAX_WBITS
    elif coding in NOT_READ:
        raise ReplyError(f"the response is compressed as {coding!r}, which was not requested")
    else:
        raise ReplyError("the response's compression is damaged")
    if depth == MOST_LAYERS:
        raise ReplyError(f"the response is compressed more than {MOST_LAYERS} times")
    async for piece in _peeled(_bounded(_unpacked(whole, window), most), codings[1:], most, depth + 1):
        yield piece


async def _after(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for piece in rest:
        yield piece


async def _unpacked(pieces: AsyncIterator[bytes], window: int) -> AsyncIterator[bytes]:
    """What was packed, never more than a little of it at once: a few bytes may unpack to gigabytes."""
    unpack = zlib.decompressobj(wbits=window)
    try:
        async for packed in pieces:
            piece = packed
            while piece and not unpack.eof:
                yield unpack.decompress(piece, PIECE)
                piece = unpack.unconsumed_tail
                await asyncio.sleep(0)  # whoever else is waiting is not to wait for all of it
        while not unpack.eof and (piece := unpack.decompress(b"", PIECE)):
            yield piece
    except zlib.error:
        raise ReplyError("the response's compression is damaged") from None
    if not unpack.eof:
        raise ReplyError("the response's compression ends early")


def _is_image(head: bytes) -> bool:
    return head.startswith(SIGNATURES) or head[4:8] == b"ftyp"


def _has_zlib_header(head: bytes) -> bool:
    return len(head) > 1 and head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
