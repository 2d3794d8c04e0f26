"""A picture's file as far as it draws pixels: what a decoder is given, apart from whatever else the file holds.

Metadata must never decide whether a picture can be used: a text, a thumbnail, a date or a profile that is damaged,
unknown or huge is not even shown to the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_PROFILE = 16_000_000  # bytes of a colour profile; printers' are two to three million


@dataclass(frozen=True, slots=True)
class Plain:
    """What draws, and what is to be done with the pixels afterwards.

    ``size``: as far as it is known without a decoder. ``cut``: the file ends before it should. ``scans``: passes over
    the picture that a JPEG is made of. ``channels``: of a JPEG. ``progressive``: its numbers are all kept until the
    last pass has come.
    """

    data: bytes
    kind: str = ""
    size: tuple[int, int] | None = None
    orientation: int = 1
    profile: bytes | None = None
    cut: bool = False
    progressive: bool = False
    channels: int = 3
    scans: int = 1
    shades: Shades | None = None


@dataclass(frozen=True, slots=True)
class Shades:
    """What a TIFF's numbers mean: bits of one, 1 unsigned, 2 signed, 3 fractions; whether 0 is white.

    ``alpha``: whether its fourth channel says that it is one. ``swapped``: Pillow reads its bytes in the wrong order.
    """

    bits: int = 8
    format: int = 1
    white_is_zero: bool = False
    alpha: bool = False
    swapped: bool = False
