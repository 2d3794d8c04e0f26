"""Parse a WebP: keep the chunks of its first frame, extract colour profile and orientation from the others."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from image_similarity.images.exif import orientation
from image_similarity.images.stripped_file import MAX_PROFILE, StrippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = 12  # bytes of RIFF's header
EXTENDED = 10  # bytes of VP8X
FRAME = 16  # bytes before the pixels of a frame
ALPHA, ANIMATED = 0x10, 0x02  # flags of VP8X
PIXELS = (b"ALPH", b"VP8 ", b"VP8L")


def stripped(data: bytes) -> StrippedFile:
    """Remove the chunks that do not affect the pixels; keep only the first frame of an animation."""
    notes, drawing, sizes, truncated = dict[bytes, bytes](), list[bytes](), list[tuple[int, int]](), False
    extended, animated = b"", False
    for name, start, end in _chunks(data, HEAD, len(data)):
        body = data[start:end]
        truncated = truncated or end > len(data)
        if name == b"VP8X" and len(body) >= EXTENDED and not extended:
            extended = body[:EXTENDED]
            sizes.append((_number(body, 4) + 1, _number(body, 7) + 1))
        elif name == b"ANMF" and not drawing and len(body) > FRAME:
            animated = True
            drawing.append(_chunk(b"ANMF", body, end - start))
            sizes += [_size(each, data[at : at + 10]) for each, at, _ in _chunks(data, start + FRAME, end)]
        elif name in PIXELS and not animated:
            drawing.append(_chunk(name, body, end - start))
            sizes.append(_size(name, body))
        elif name == b"ANIM" or name in (b"ICCP", b"EXIF", b"XMP "):
            notes.setdefault(name, body)
    if extended:
        flags = extended[0] & (ALPHA | ANIMATED if animated else ALPHA)
        loop = [_chunk(b"ANIM", notes.get(b"ANIM", bytes(6)), 6)] if animated else []
        drawing = [_chunk(b"VP8X", bytes([flags]) + extended[1:], EXTENDED), *loop, *drawing]
    inner = b"".join(drawing)
    profile = notes.get(b"ICCP")
    return StrippedFile(
        b"RIFF" + struct.pack("<I", len(inner) + 4) + b"WEBP" + inner,
        "WEBP",
        size=max(sizes, key=lambda size: size[0] * size[1], default=None),
        orientation=orientation(notes.get(b"EXIF", b""), notes.get(b"XMP ", b"")),
        profile=profile if profile and len(profile) <= MAX_PROFILE else None,
        truncated=truncated or int.from_bytes(data[4:8], "little") + 8 > len(data) + 1,
    )


def missing_bytes(data: bytes) -> int:
    """How many bytes are missing from the end of the last chunk."""
    *_, (_, _, end) = [(b"", HEAD, HEAD), *_chunks(data, HEAD, len(data))]
    return max(0, end + end % 2 - len(data))


def extended(data: bytes, tail: bytes) -> bytes:
    """The file with ``tail`` appended and its length adjusted."""
    return data[:4] + struct.pack("<I", len(data) + len(tail) - 8) + data[8:] + tail


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name, and where its data begins and should end."""
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, at + 8, at + 8 + length
        at += 8 + length + length % 2


def _chunk(name: bytes, body: bytes, length: int) -> bytes:
    """A chunk with its declared length, which the decoder compares with the actual one."""
    return name + struct.pack("<I", length) + body + b"\0" * (len(body) == length and length % 2)


def _size(name: bytes, body: bytes) -> tuple[int, int]:
    """Width and height from a pixel chunk; (0, 0) from any other."""
    if name == b"VP8 " and len(body) >= 10 and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return 0, 0


def _number(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 3], "little")
