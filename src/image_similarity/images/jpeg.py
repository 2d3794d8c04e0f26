"""Parse a JPEG: keep the segments that define pixels, extract orientation and colour profile, list its scans."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.images.exif import orientation
from image_similarity.images.stripped_file import MAX_PROFILE, StrippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

START, SCAN, END, COMMENT = 0xD8, 0xDA, 0xD9, 0xFE
APPS = range(0xE0, 0xF0)
DRAWING_APPS = (0xE0, 0xEE)  # JFIF and Adobe: the colour space
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in entropy-coded data, 0 and restarts are no markers
ICC, EXIF, XMP = b"ICC_PROFILE\0", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
LAST = 63  # of a block's DCT coefficients; the first is its mean
FINE = 6  # from here on the coefficients are fine detail


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan: its channels, its range of DCT coefficients, and how many of their low bits it leaves out.

    ``complete``: another marker follows, so that its end is not missing.
    """

    channels: frozenset[int]
    first: int
    last: int
    left_out: int
    complete: bool


def stripped(data: bytes) -> StrippedFile:
    """Remove the segments that do not affect the pixels."""
    pieces, profiles = [data[:2]], dict[int, bytes]()
    exif, xmp, size, progressive, channels, at = b"", b"", None, False, 3, 2
    for marker, start, end in _segments(data):
        body = data[start:end]
        if marker in FRAMES and len(body) > 6:
            height, width = struct.unpack_from(">HH", body, 1)
            size, progressive, channels = (width, height), marker in PROGRESSIVE, body[5]
        if marker == APPS[1] and body.startswith(EXIF):
            exif = exif or body
        elif marker == APPS[1] and body.startswith(XMP):
            xmp = body
        elif marker == APPS[2] and body.startswith(ICC) and len(body) > len(ICC) + 2:
            profiles.setdefault(body[len(ICC)], body[len(ICC) + 2 :])
        if marker in DRAWING_APPS or not (marker in APPS or marker == COMMENT):
            pieces.append(b"\xff" + bytes([marker]) + struct.pack(">H", end - start + 2) + body)
        at = end
    pieces.append(data[at:])
    profile = b"".join(profiles[number] for number in sorted(profiles))
    return StrippedFile(
        b"".join(pieces),
        "JPEG",
        size=size,
        orientation=orientation(exif, xmp),
        profile=profile if 0 < len(profile) <= MAX_PROFILE else None,
        truncated=data.rfind(b"\xff\xd9", at) < 0,
        progressive=progressive or data[at + 4 : at + 5] < bytes([channels]),  # a scan for each channel
        channels=channels,
        # Faster than parsing; entropy-coded data never contains these two bytes in a row.
        scans=max(1, data.count(b"\xff\xda", at)),
    )


def scans_of(data: bytes) -> tuple[list[Scan], int]:
    """The scans of a JPEG, truncated or not, and where the last complete segment or the last scan ends."""
    found, at = list[Scan](), 2
    while match := MARKER.search(data, at):
        marker, start = match[0][1], match.end()
        if marker == END:
            return found, match.start()
        if marker in BARE:
            at = start
            continue
        at = start + int.from_bytes(data[start : start + 2])
        if at > len(data) or start + 2 > len(data):
            return found, match.start()
        if marker == SCAN:
            scan = _scan(data[start + 2 : at], MARKER.search(data, at) is not None)
            if scan is None:
                return found, match.start()
            found.append(scan)
    return found, len(data)


def channels_of(data: bytes) -> frozenset[int]:
    """The ids of the image's channels; the smallest is the luminance."""
    for marker, start, end in _segments(data):
        if marker in FRAMES:
            return frozenset(data[start + 6 : end : 3])
    return frozenset()


def covers(data: bytes, scans: list[Scan], left_out: int = 0) -> bool:
    """Whether scans cover the whole image, except for the last bit and the fine detail of the colour channels.

    ``left_out``: low bits of the luminance that may be missing.
    """
    channels = sorted(channels_of(data))
    for channel in channels:
        needed, bits = (range(LAST + 1), left_out) if channel == channels[0] else (range(FINE), 1)
        covered = {
            number
            for scan in scans
            if channel in scan.channels and scan.left_out <= bits
            for number in range(scan.first, min(scan.last, LAST) + 1)
        }
        if not covered.issuperset(needed):
            return False
    return bool(channels)


def _scan(header: bytes, complete: bool) -> Scan | None:
    if not header or len(header) < 4 + 2 * header[0]:
        return None
    channels = frozenset(header[1 : 1 + 2 * header[0] : 2])
    first, last, bits = header[1 + 2 * header[0] : 4 + 2 * header[0]]
    return Scan(channels, first, last or 0, left_out=bits & 15, complete=complete)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Each marker and where its data begins and ends, up to the first scan or anything that is no segment."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in (SCAN, END, 0) or marker in BARE or length < 2 or at + 2 + length > len(data):
            return
        yield marker, at + 4, at + 2 + length
        at += 2 + length
