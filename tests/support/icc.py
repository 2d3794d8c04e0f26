"""Colour profiles for tests, written byte by byte after the ICC's specification (ICC.1:2001-04).

Each moves colours far and in a way that is easily said, so that a test sees at once whether it was applied.
"""

from __future__ import annotations

import struct

SRGB_PRIMARIES = {"r": (0.4361, 0.2225, 0.0139), "g": (0.3851, 0.7169, 0.0971), "b": (0.1431, 0.0606, 0.7141)}
D50 = (0.9642, 1.0, 0.8249)
LIKE_SRGB = 2.2  # the gamma nearest to its curve


def rgb_profile(order: str = "rgb", gamma: float = LIKE_SRGB) -> bytes:
    """sRGB's own primaries in another order: with ``"bgr"`` the file's red is our blue, greys stay."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": _xyz(D50)}
    for channel, primary in zip("rgb", order, strict=True):
        tags[f"{channel}XYZ".encode()] = _xyz(SRGB_PRIMARIES[primary])
        tags[f"{channel}TRC".encode()] = curve
    return _profile(b"RGB ", b"XYZ ", b"mntr", tags)


def cmyk_profile() -> bytes:
    """Odd inks: the cyan ink prints red, whatever the others do; without it paper is white and black is black."""
    corners = bytearray()
    for node in range(16):  # of a table with two steps an axis; the last ink runs fastest
        cyan, black = node >> 3 & 1, node & 1
        lightness, red_green, yellow_blue = (0, 0, 0) if black else (53, 80, 67) if cyan else (100, 0, 0)
        corners += bytes((round(lightness * 2.55), red_green + 128, yellow_blue + 128))
    identity = struct.pack(">9i", *(65536 if place in (0, 4, 8) else 0 for place in range(9)))
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + bytes(corners) + ramp * 3
    return _profile(b"CMYK", b"Lab ", b"prtr", {b"wtpt": _xyz(D50), b"A2B0": table})


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(space: bytes, connection: bytes, device: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"made by a test\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        **tags,
    }
    offset, directory, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for tag, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        directory += tag + struct.pack(">II", offset + len(bodies), len(body))
        bodies += padded
    size = offset + len(bodies)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"test", 0x02400000, device, space, connection, bytes(12), b"acsp")
    header += bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + directory + bodies
