"""Read the orientation from EXIF or XMP, the only metadata used, with a parser that tolerates any damage."""

from __future__ import annotations

import re
import struct

UPRIGHT = 1
ORIENTATION = 0x0112
SIZES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}  # EXIF's integer types; an orientation has no other
ORDERS = {b"II": "<", b"MM": ">"}
EXIF_ITEM = re.compile(rb"(infe\x02.{7}|infe\x03.{9})Exif", re.DOTALL)
"""The entry of an ISO media file that declares an item as EXIF."""
ENTRY = 12  # bytes of one tag
XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])\s*[\"'<]")


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where none can be read.

    Args:
        exif: the EXIF block of a file, with or without the prefix ``Exif``.
        xmp: used where EXIF has no orientation.
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
    except struct.error:  # it ends early
        pass
    return None


def without_exif(data: bytes) -> bytes:
    """Hide the EXIF item of an ISO media file (AVIF, HEIC), keeping its length: decoders fail on unusual tags.

    Nothing is lost: such a file stores its rotation in a separate box.
    """
    return EXIF_ITEM.sub(rb"\1free", data)
