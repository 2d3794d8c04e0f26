"""Who decodes pictures: whoever asks, unless somebody has said that another shall, as a service does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from PIL import Image

BYTES_A_PIXEL = {"JPEG": 12, "PNG": 12, "WEBP": 24, "ISO": 20, "TIFF": 16}
"""At the worst moment of decoding: what the decoder holds, the picture in the file's mode, and in RGB."""
OTHERS = 12
COEFFICIENTS = 6  # bytes a pixel that a JPEG in passes is kept in until it is whole


@dataclass(frozen=True, slots=True)
class Undecoded:
    """A picture that is to be decoded: its file, how, and how much memory that will take at most."""

    data: bytes
    max_pixels: int
    at_least: int | None
    strict: bool
    cost: int


Decoder = Callable[[Undecoded, Callable[[], Image.Image]], Image.Image]
"""Gets the picture and a way to decode it here."""
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


def cost(kind: str, size: tuple[int, int], scale: int, length: int, *, progressive: bool) -> int:
    """Bytes that decoding takes at most, from what a file's header says; ``scale``: a JPEG is made so much smaller."""
    pixels = size[0] * size[1]
    needed = pixels // scale**2 * BYTES_A_PIXEL.get(kind, OTHERS)
    return needed + pixels * COEFFICIENTS * progressive + 2 * length
