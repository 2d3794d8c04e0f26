"""Choose what decodes images: the calling thread, or a decoder set for a block, as a service does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import isqrt

from PIL import Image

from image_similarity.images.stripped_file import StrippedFile

SAMPLES = "samples"  # of a TIFF whose bytes are decoded: without these bytes
BYTES_PER_PIXEL = {"JPEG": 12, "PNG": 12, "WEBP": 18, "ISO": 20, "TIFF": 16, SAMPLES: 8}
"""Peak memory of decoding: the decoder's, the image in the file's mode, and the image in RGB."""
REDUCED = {"JPEG": 5, "PNG": 5, "WEBP": 17, "ISO": 12, "TIFF": 9, SAMPLES: 6}
"""The same where the image is never converted to RGB as a whole."""
OTHERS, OTHERS_REDUCED = 12, 8
COEFFICIENTS = 2  # bytes per pixel and channel that a progressive JPEG holds until its last scan


@dataclass(frozen=True, slots=True)
class DecodeTask:
    """An image to decode: its file, the options, and the memory that decoding takes at most, in bytes."""

    data: bytes
    options: DecodeOptions
    cost: int


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """The options of :func:`~image_similarity.images.decoding.decode`."""

    max_pixels: int
    min_side: int | None = None
    target_pixels: int | None = None
    strict: bool = False

    def factor(self, size: tuple[int, int]) -> int:
        """The whole factor by which a decoded image of ``size`` is reduced."""
        return 1 if self.target_pixels is None else max(1, isqrt(size[0] * size[1] // self.target_pixels))


Decoder = Callable[[DecodeTask, Callable[[], Image.Image]], Image.Image]
"""Gets the image and a function that decodes it in the calling thread."""
_decoder: ContextVar[Decoder | None] = ContextVar("decoder", default=None)


@contextmanager
def decoding_with(decoder: Decoder) -> Iterator[None]:
    """Use ``decoder`` for the images that this thread decodes in the block."""
    token = _decoder.set(decoder)
    try:
        yield
    finally:
        _decoder.reset(token)


def current_decoder() -> Decoder | None:
    """The decoder set for the current block; None: decode in the calling thread."""
    return _decoder.get()


def cost(file: StrippedFile, size: tuple[int, int], scale: int, options: DecodeOptions) -> int:
    """Bytes that decoding takes at most, from a file's header; ``scale``: the factor at which a JPEG is reduced."""
    pixels = size[0] * size[1]
    decoded = pixels // scale**2
    factor = options.factor((size[0] // scale, size[1] // scale))
    kind = file.kind if file.sample_layout is None else SAMPLES
    needed = decoded // factor**2 * BYTES_PER_PIXEL.get(kind, OTHERS)
    if factor > 1:
        needed += decoded * REDUCED.get(kind, OTHERS_REDUCED)
    if file.sample_layout is not None:
        needed += file.sample_layout.packed[0] * file.sample_layout.packed[1]
    needed += pixels * COEFFICIENTS * file.channels * file.progressive
    # A truncated file is decoded twice, see truncated_files.py.
    return needed * (2 if file.truncated and not options.strict else 1) + 3 * len(file.data)
