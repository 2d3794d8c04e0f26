"""How a camera was held: the one thing that is read of an image's metadata, by a reader that nothing can upset."""

from __future__ import annotations

import re
import struct

UPRIGHT = 1
ORIENTATION = 0x0112
SIZES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}  # EXIF's whole numbers; no other type says an orientation
ORDERS = {b"II": "<", b"MM": ">"}
BOXED = re.compile(rb"(infe\x02.{7}|infe\x03.{9})Exif", re.DOTALL)
"""Where a file in boxes says that one of its items is EXIF."""
ENTRY = 12  # bytes of one tag
XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """EXIF's number of the turn, 1 to 8; 1 (upright) wherever none can be made out.

    Args:
        exif: the block as it stands in a file, with or without ``Exif`` before it.
        xmp: asked where EXIF is silent.
    """
    found = _in_exif(exif.removeprefix(b"Exif\0\0"))
    if found is None and (match := XMP.search(xmp)):
        found = int(match[1])
    return found if found is not None and 1 <= found <= 8 else UPRIGHT


def _in_exif(block: bytes) -> int | None:
    order = ORDERS.get(block[:2])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, at)
        for entry in range(at + 2, at + 2 + count * ENTRY, ENTRY):
            tag, kind, number = struct.unpack_from(order + "HHI", block, entry)
            if tag == ORIENTATION and number and kind in SIZES:
                return int(struct.unpack_from(order + SIZES[kind], block, entry + 8)[0])
    except struct.error:  # it ends too soon
        pass
    return None


def without_exif(data: bytes) -> bytes:
    """A file in boxes (AVIF, HEIC) that does not own to its EXIF, in as many bytes: decoders trip over odd tags in it.

    Nothing is lost: such a file says in a box of its own how it is turned.
    """
    return BOXED.sub(rb"\1free", data)
