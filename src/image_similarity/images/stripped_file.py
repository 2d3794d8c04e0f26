"""An image's file as far as it draws pixels: what a decoder is given, apart from whatever else the file holds.

Metadata must never decide whether an image can be used: a text, a thumbnail, a date or a profile that is damaged,
unknown or huge is not even shown to the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

CUT_SHORT = "damaged image: image file is truncated"
MOST_PROFILE = 16_000_000  # bytes of a colour profile; printers' are two to three million


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """What draws, and what is to be done with the pixels afterwards.

    ``size``: as far as it is known without a decoder. ``cut``: the file ends before it should. ``scans``: passes over
    the image that a JPEG is made of. ``channels``: of a JPEG. ``progressive``: its numbers are all kept until the
    last pass has come. ``alpha``: the file says that its fourth channel is transparency.
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
    alpha: bool = False
    sample_layout: SampleLayout | None = None


@dataclass(frozen=True, slots=True)
class SampleLayout:
    """Numbers of a TIFF that no decoder makes an image of: it gives their bytes as if each were a grey pixel.

    ``columns``: a row is packed in pieces of so many pixels. ``samples``: numbers of one pixel, of which ``colours``
    are grey, RGB or inks. ``alpha``: 0 the next one is no transparency, 1 colours are multiplied by it, 2 they are not.
    ``format``: 1 unsigned, 2 signed, 3 fractions. ``order``: of bytes, as numpy has it. ``predictor``: 2 numbers, 3
    bytes are differences. ``plane``: so many rows of all the bytes are of one channel alone; 0: all are together.
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
        """The size of the image of all the bytes."""
        piece = -(-self.columns * (1 if self.plane else self.samples) * self.bits // 8)
        return piece * -(-self.size[0] // self.columns), self.plane * self.samples or self.size[1]
