"""Who decodes images: whoever asks, unless somebody has said that another shall, as a service does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import isqrt

from PIL import Image

from image_similarity.images.stripped_file import StrippedFile

NUMBERS = "numbers"  # of a TIFF: beside their own bytes
BYTES_A_PIXEL = {"JPEG": 12, "PNG": 12, "WEBP": 18, "ISO": 20, "TIFF": 16, NUMBERS: 8}
"""At the worst moment of decoding: what the decoder holds, the image in the file's mode, and in RGB."""
REDUCED = {"JPEG": 5, "PNG": 5, "WEBP": 17, "ISO": 12, "TIFF": 9, NUMBERS: 6}
"""The same where it never is in RGB as a whole."""
OTHERS, OTHERS_REDUCED = 12, 8
COEFFICIENTS = 2  # bytes a pixel and channel that a JPEG in passes is kept in until it is whole


@dataclass(frozen=True, slots=True)
class DecodeTask:
    """An image that is to be decoded: its file, how, and how much memory that will take at most."""

    data: bytes
    options: DecodeOptions
    cost: int


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How :func:`~image_similarity.images.decoding.decode` is asked to decode."""

    max_pixels: int
    min_side: int | None = None
    target_pixels: int | None = None
    strict: bool = False

    def factor(self, size: tuple[int, int]) -> int:
        """By what an image is made smaller once it is decoded."""
        return 1 if self.target_pixels is None else max(1, isqrt(size[0] * size[1] // self.target_pixels))


Decoder = Callable[[DecodeTask, Callable[[], Image.Image]], Image.Image]
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


def current_decoder() -> Decoder | None:
    """Who decodes here; None: whoever asks."""
    return _decoder.get()


def cost(file: StrippedFile, size: tuple[int, int], scale: int, options: DecodeOptions) -> int:
    """Bytes that decoding takes at most, from what a file's header says; ``scale``: a JPEG is made so much smaller."""
    pixels = size[0] * size[1]
    made = pixels // scale**2
    factor = options.factor((size[0] // scale, size[1] // scale))
    kind = file.kind if file.sample_layout is None else NUMBERS
    needed = made // factor**2 * BYTES_A_PIXEL.get(kind, OTHERS)
    if factor > 1:
        needed += made * REDUCED.get(kind, OTHERS_REDUCED)
    if file.sample_layout is not None:
        needed += file.sample_layout.packed[0] * file.sample_layout.packed[1]
    needed += pixels * COEFFICIENTS * file.channels * file.progressive
    # Where the file was cut short, two images are made of it.
    return needed * (2 if file.cut and not options.strict else 1) + 3 * len(file.data)
