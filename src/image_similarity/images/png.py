"""Parse a PNG: keep the chunks that define pixels, extract colour profile and orientation from the others."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

from image_similarity.images.exif import orientation
from image_similarity.images.stripped_file import MAX_PROFILE, StrippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
HEADER = 13  # bytes of IHDR
FRAME = 12  # bytes of a chunk besides its data
DRAWING = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
EXIF_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1")
XMP_TEXT = b"XML:com.adobe.xmp"
MAX_TEXT = 1_000_000  # bytes of a text that may hold an orientation
GREY, RGB = 0, 2  # colour types
BYTE = 8  # bits


def stripped(data: bytes) -> StrippedFile:
    """Remove the chunks that do not affect the pixels. Ancillary chunks are used only if their checksum is right."""
    pieces, notes, ended = [SIGNATURE], dict[bytes, bytes](), False
    for name, start, end in _chunks(data):
        if name in DRAWING or not name[0] & 32:  # the fifth bit marks an ancillary chunk
            pieces.append(data[start - 8 : end + 4])
            ended = ended or name == b"IEND"
        elif _is_intact(data, start, end):
            body = data[start:end]
            if name == b"tRNS":
                pieces.append(_transparency(body, data))
            elif name in TEXTS:
                key = body[:80].partition(b"\0")[0]
                notes.setdefault(XMP_TEXT if key == XMP_TEXT else b"exif text", _text(name, body))
            elif name in (b"iCCP", b"eXIf"):
                notes.setdefault(name, body)
        if name == b"IEND":
            break
    if not ended:
        pieces.append(b"" if _ends_in_chunk(data) else END)
    exif = notes.get(b"eXIf") or notes.get(b"exif text", b"")
    return StrippedFile(
        b"".join(pieces),
        "PNG",
        size=_size(data),
        orientation=orientation(exif, notes.get(XMP_TEXT, b"")),
        profile=_profile(notes.get(b"iCCP", b"")),
        truncated=not ended,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name, and where its data begins and ends."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if not name.isalpha():
            return
        yield name, at + 8, at + 8 + length
        at += length + FRAME


def _ends_in_chunk(data: bytes) -> bool:
    """Whether the file ends inside a chunk, which the decoder must see."""
    *_, (_, _, end) = [(b"", 0, 0), *_chunks(data)]
    return end + 4 > len(data)


def _is_intact(data: bytes, start: int, end: int) -> bool:
    return end + 4 <= len(data) and zlib.crc32(data[start - 4 : end]) == int.from_bytes(data[end : end + 4])


def _size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] != b"IHDR" or len(data) < 16 + HEADER:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _transparency(body: bytes, data: bytes) -> bytes:
    """Scale ``tRNS`` to eight bits: Pillow does so for pixels of two and four bits, but not for this chunk."""
    if len(data) < 16 + HEADER:
        return b""
    bits, kind = data[24], data[25]
    if kind in (GREY, RGB) and bits <= BYTE:
        if len(body) < (2 if kind == GREY else 6):
            return b""
        top = (1 << bits) - 1
        scale = 255 // top if bits > 1 else 1
        shades = struct.unpack(f">{len(body) // 2}H", body[: len(body) // 2 * 2])
        body = struct.pack(f">{len(shades)}H", *((shade & top) * scale for shade in shades))
    return struct.pack(">I", len(body)) + b"tRNS" + body + struct.pack(">I", zlib.crc32(b"tRNS" + body))


def _text(name: bytes, body: bytes) -> bytes:
    """The EXIF or XMP of a text chunk; empty for any other text."""
    key, _, rest = body.partition(b"\0")
    if key not in (*EXIF_TEXTS, XMP_TEXT):
        return b""
    if name == b"zTXt":
        rest = _inflated(rest[1:], MAX_TEXT)
    elif name == b"iTXt":
        compressed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
        rest = _inflated(rest, MAX_TEXT) if compressed else rest
    if key == XMP_TEXT:
        return rest
    found = re.match(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)", rest)
    digits = b"".join(found[1].split()) if found else b""
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _profile(body: bytes) -> bytes | None:
    _, _, rest = body.partition(b"\0")
    if rest[:1] != b"\0":  # an unknown compression method
        return None
    return _inflated(rest[1:], MAX_PROFILE) or None


def _inflated(data: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, limit)
    except zlib.error:
        return b""
    return inflated if inflater.eof else b""
