"""An image's file reduced to the parts that define its pixels: what a decoder is given.

Metadata must never decide whether an image can be used, so the decoder never sees a text, thumbnail, date or profile
that may be damaged, unknown or huge.
"""

from __future__ import annotations

from dataclasses import dataclass

TRUNCATED = "damaged image: image file is truncated"
MAX_PROFILE = 16_000_000  # bytes of a colour profile; printers' are two to three million


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """The bytes to decode, and how to process the decoded pixels.

    ``size``: None where only a decoder can tell. ``truncated``: the file ends early. ``scans``, ``channels``: of a
    JPEG. ``progressive``: a decoder holds all coefficients until the last scan. ``alpha``: the file declares its
    fourth channel as transparency.
    """

    data: bytes
    kind: str = ""
    size: tuple[int, int] | None = None
    orientation: int = 1
    profile: bytes | None = None
    truncated: bool = False
    progressive: bool = False
    channels: int = 3
    scans: int = 1
    alpha: bool = False
    sample_layout: SampleLayout | None = None


@dataclass(frozen=True, slots=True)
class SampleLayout:
    """TIFF samples of a format that Pillow does not decode: their bytes are decoded as grey pixels instead.

    ``columns``: width of a tile or of the whole row. ``samples``: per pixel, of which the first ``colours`` are grey,
    RGB or CMYK. ``alpha``: 0 none, 1 premultiplied, 2 straight. ``format``: 1 unsigned, 2 signed, 3 floating point.
    ``order``: byte order, as in numpy. ``predictor``: 2 differences of samples, 3 of bytes. ``plane``: rows of each
    channel, if channels are stored one after the other; 0: interleaved.
    """

    size: tuple[int, int]
    columns: int
    samples: int
    colours: int
    alpha: int
    bits: int
    format: int
    order: str
    predictor: int
    plane: int
    white_is_zero: bool

    @property
    def packed(self) -> tuple[int, int]:
        """Width and height of the grey image that has one pixel per byte."""
        piece = -(-self.columns * (1 if self.plane else self.samples) * self.bits // 8)
        return piece * -(-self.size[0] // self.columns), self.plane * self.samples or self.size[1]
