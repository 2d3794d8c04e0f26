"""Who decodes images: whoever asks, unless somebody has said that another shall, as a service does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import isqrt

from PIL import Image

from image_similarity.images.drawing_parts import Plain

NUMBERS = "numbers"  # of a TIFF: beside their own bytes
BYTES_A_PIXEL = {"JPEG": 12, "PNG": 12, "WEBP": 18, "ISO": 20, "TIFF": 16, NUMBERS: 8}
"""At the worst moment of decoding: what the decoder holds, the image in the file's mode, and in RGB."""
REDUCED = {"JPEG": 5, "PNG": 5, "WEBP": 17, "ISO": 12, "TIFF": 9, NUMBERS: 6}
"""The same where it never is in RGB as a whole."""
OTHERS, OTHERS_REDUCED = 12, 8
COEFFICIENTS = 2  # bytes a pixel and channel that a JPEG in passes is kept in until it is whole


@dataclass(frozen=True, slots=True)
class Undecoded:
    """An image that is to be decoded: its file, how, and how much memory that will take at most."""

    data: bytes
    way: Way
    cost: int


@dataclass(frozen=True, slots=True)
class Way:
    """How :func:`~image_similarity.images.decoding.decode` is asked to decode."""

    max_pixels: int
    at_least: int | None = None
    enough: int | None = None
    strict: bool = False

    def factor(self, size: tuple[int, int]) -> int:
        """By what an image is made smaller once it is decoded."""
        return 1 if self.enough is None else max(1, isqrt(size[0] * size[1] // self.enough))


Decoder = Callable[[Undecoded, Callable[[], Image.Image]], Image.Image]
"""Gets the image and a way to decode it here."""
_decoder: ContextVar[Decoder | None] = ContextVar("decoder", default=None)


@contextmanager
def decoding_with(decoder: Decoder) -> Iterator[None]:
    """Let another decode what is decoded in the block, by this thread."""
    token = _decoder.set(decoder)
    try:
        yield
    finally:
        _decoder.reset(token)


def present_decoder() -> Decoder | None:
    """Who decodes here; None: whoever asks."""
    return _decoder.get()


def cost(plain: Plain, size: tuple[int, int], scale: int, way: Way) -> int:
    """Bytes that decoding takes at most, from what a file's header says; ``scale``: a JPEG is made so much smaller."""
    pixels = size[0] * size[1]
    made = pixels // scale**2
    factor = way.factor((size[0] // scale, size[1] // scale))
    kind = plain.kind if plain.numbers is None else NUMBERS
    needed = made // factor**2 * BYTES_A_PIXEL.get(kind, OTHERS)
    if factor > 1:
        needed += made * REDUCED.get(kind, OTHERS_REDUCED)
    if plain.numbers is not None:
        needed += plain.numbers.packed[0] * plain.numbers.packed[1]
    needed += pixels * COEFFICIENTS * plain.channels * plain.progressive
    # Where the file was cut short, two images are made of it.
    return needed * (2 if plain.cut and not way.strict else 1) + 3 * len(plain.data)
