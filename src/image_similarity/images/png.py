"""A PNG's chunks: those that draw, and the colour profile and the orientation out of the others."""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

from image_similarity.images.exif import orientation
from image_similarity.images.stripped_file import MOST_PROFILE, StrippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"\0\0\0\0IEND\xaeB`\x82"
HEADER = 13  # bytes of IHDR
FRAME = 12  # bytes of a chunk beside its data
DRAWING = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
EXIF_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1")
XMP_TEXT = b"XML:com.adobe.xmp"
MOST_TEXT = 1_000_000  # bytes of a text that may hold an orientation
GREY, RGB = 0, 2  # colour types
BYTE = 8  # bits


def stripped(data: bytes) -> StrippedFile:
    """A PNG without what does not draw. Ancillary chunks are believed only where their checksum holds."""
    pieces, notes, ended = [SIGNATURE], dict[bytes, bytes](), False
    for name, start, end in _chunks(data):
        if name in DRAWING or not name[0] & 32:  # the fifth bit says that a chunk may be left out
            pieces.append(data[start - 8 : end + 4])
            ended = ended or name == b"IEND"
        elif _is_sound(data, start, end):
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
        pieces.append(b"" if _is_cut_within(data) else END)
    exif = notes.get(b"eXIf") or notes.get(b"exif text", b"")
    return StrippedFile(
        b"".join(pieces),
        "PNG",
        size=_size(data),
        orientation=orientation(exif, notes.get(XMP_TEXT, b"")),
        profile=_profile(notes.get(b"iCCP", b"")),
        cut=not ended,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, and where the data begins and ends."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if not name.isalpha():
            return
        yield name, at + 8, at + 8 + length
        at += length + FRAME


def _is_cut_within(data: bytes) -> bool:
    """Whether the file ends inside a chunk of pixels: a decoder has to see that."""
    *_, (_, _, end) = [(b"", 0, 0), *_chunks(data)]
    return end + 4 > len(data)


def _is_sound(data: bytes, start: int, end: int) -> bool:
    return end + 4 <= len(data) and zlib.crc32(data[start - 4 : end]) == int.from_bytes(data[end : end + 4])


def _size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] != b"IHDR" or len(data) < 16 + HEADER:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _transparency(body: bytes, data: bytes) -> bytes:
    """``tRNS`` in the bits that Pillow keeps: it widens shades of two and four bits to eight, but not this one."""
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
    """What EXIF or XMP a text chunk holds; nothing where it holds another text."""
    key, _, rest = body.partition(b"\0")
    if key not in (*EXIF_TEXTS, XMP_TEXT):
        return b""
    if name == b"zTXt":
        rest = _unpacked(rest[1:], MOST_TEXT)
    elif name == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
        rest = _unpacked(rest, MOST_TEXT) if packed else rest
    if key == XMP_TEXT:
        return rest
    found = re.match(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)", rest)
    digits = b"".join(found[1].split()) if found else b""
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())


def _profile(body: bytes) -> bytes | None:
    _, _, rest = body.partition(b"\0")
    if rest[:1] != b"\0":  # another method of packing than the one that there is
        return None
    return _unpacked(rest[1:], MOST_PROFILE) or None


def _unpacked(packed: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(packed, most)
    except zlib.error:
        return b""
    return unpacked if unpacker.eof else b""
