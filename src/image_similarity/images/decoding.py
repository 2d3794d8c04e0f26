"""Decode bytes to upright RGB in sRGB, or raise an :class:`ImageError` with the stage and the reason.

Rotation, CMYK, transparency, sixteen bits per channel and the like are handled here, so that every other module gets
upright RGB only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from image_similarity.errors import ImageError, ImageSimilarityError
from image_similarity.images import jpeg, png, tiff, webp
from image_similarity.images.decoder import DecodeOptions, DecodeTask, cost, current_decoder
from image_similarity.images.exif import orientation, without_exif
from image_similarity.images.pillow_files import allocate, is_supported, open_image
from image_similarity.images.sample_depth import to_eight_bits
from image_similarity.images.stripped_file import TRUNCATED, StrippedFile
from image_similarity.images.to_rgb import flatten
from image_similarity.images.truncated_files import repaired
from image_similarity.settings import MOST_FILE_BYTES
from image_similarity.util.files import open_file

DRAFT_MARGIN = 1.25  # a JPEG decoded at reduced size keeps more than the network's input: with less, fabrics show moire
DRAFTED = (1, 3)  # channels of a JPEG that can be decoded at reduced size: grey and colour, not CMYK
MAX_SCANS = 100
"""Of a JPEG. Encoders make about ten. Each is a pass over the whole image, and a file of a few bytes can declare
thousands."""
MAX_PIXEL_BYTES = 16
"""Bytes of a pixel of four 32-bit samples; an image with more bytes per pixel may have fewer pixels."""
REPAIRED = "repaired"
CONTAINERS: dict[bytes, Callable[[bytes], StrippedFile]] = {
    b"\xff\xd8\xff": jpeg.stripped,
    png.SIGNATURE: png.stripped,
    b"RIFF": webp.stripped,
    b"BM": partial(StrippedFile, kind="BMP"),
    b"II*\0": tiff.stripped,
    b"MM\0*": tiff.stripped,
    b"II+\0": tiff.stripped,
    b"MM\0+": tiff.stripped,
}
"""The parser for each file signature."""
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation: the transposition that makes the image upright."""


def read_bytes(path: Path, limit: int = MOST_FILE_BYTES) -> bytes:
    """Read an image's file.

    Raises:
        ImageError: stage ``read``: it is missing, not readable, no regular file, empty, or larger than ``limit`` bytes.
    """
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(limit + 1) if size <= limit else b""
    except OSError as error:
        raise ImageError("read", error.strerror or str(error)) from error
    except ValueError as error:  # not a valid file name
        raise ImageError("read", str(error)) from error
    if max(size, len(data)) > limit:
        raise ImageError("read", f"{size} bytes are more than the limit of {limit}")
    if not data:
        raise ImageError("read", "the file is empty")
    return data


def decode(
    data: bytes, *, max_pixels: int, min_side: int | None = None, target_pixels: int | None = None, strict: bool = False
) -> Image.Image:
    """Decode an image to upright RGB: the first frame of an animation, transparency composited over white.

    Metadata never decides whether a file is used. A truncated file is used where at most a twentieth of its pixels is
    missing (``truncated_files.py``); see :func:`was_repaired`.

    Args:
        data: the file's bytes; JPEG, PNG, GIF, WebP, BMP, TIFF, and with Pillow's plugins AVIF and HEIC.
        max_pixels: an image that declares more is refused before it is decoded.
        min_side: the side that the caller will resize to at most; allows a JPEG to be decoded at half, a quarter or an
            eighth of its size, which is faster and takes less memory. None: full size.
        target_pixels: an image with at least four times as many pixels is reduced by a whole factor before it is
            converted as a whole, which takes less memory. For display only.
        strict: refuse an image whose file is truncated.

    Raises:
        ImageError: stage ``decode``: not an image, damaged, or too large.
    """
    options = DecodeOptions(max_pixels, min_side, target_pixels, strict)
    try:
        file = stripped_image(data)
        _check_size(file.size, max_pixels)
        _check_depth(file, max_pixels)
        if file.scans > MAX_SCANS:
            raise ImageError("decode", f"{file.scans} scans are more than the limit of {MAX_SCANS}")
        decoder = current_decoder()
        if decoder is not None:
            return decoder(DecodeTask(data, options, _cost(file, options)), lambda: _decode(file, options))
        return _decode(file, options)
    except UnidentifiedImageError:
        raise ImageError("decode", _not_an_image(data)) from None
    except ImageSimilarityError:
        raise
    except MemoryError as error:
        raise ImageError("decode", "not enough memory to decode it") from error
    except Exception as error:  # a codec may raise anything on hostile bytes
        raise ImageError("decode", f"damaged image: {error or type(error).__name__}") from error


def was_repaired(image: Image.Image) -> bool:
    """Whether a decoded image came from a truncated file."""
    return REPAIRED in image.info


def stripped_image(data: bytes) -> StrippedFile:
    """Reduce a file to the parts that define its pixels."""
    file = StrippedFile(data)
    for start, read in CONTAINERS.items():
        if data.startswith(start) and (start != b"RIFF" or data[8:12] == b"WEBP"):
            file = read(data)
    if data[4:8] == b"ftyp":
        file = StrippedFile(without_exif(data), "ISO")
    return file


def _cost(file: StrippedFile, options: DecodeOptions) -> int:
    size = file.size
    if size is None:
        with open_image(file.data) as image:
            size = image.size
        _check_size(size, options.max_pixels)
    scale, side = 1, options.min_side
    if file.kind == "JPEG" and file.channels in DRAFTED and side is not None:
        scale = next((each for each in (8, 4, 2) if min(size) // each >= side * DRAFT_MARGIN), 1)
    return cost(file, size, scale, options)


def _check_size(size: tuple[int, int] | None, max_pixels: int) -> None:
    if size is not None and size[0] * size[1] > max_pixels:
        raise ImageError("decode", f"{size[0]} x {size[1]} pixels are more than the limit of {max_pixels}")


def _check_depth(file: StrippedFile, max_pixels: int) -> None:
    if file.sample_layout is None:
        return
    width, height = file.sample_layout.packed
    if width * height > max_pixels * MAX_PIXEL_BYTES:
        limit = f"{max_pixels} pixels of {MAX_PIXEL_BYTES} bytes"
        raise ImageError("decode", f"{width * height} bytes of samples are more than the limit of {limit}")


def _decode(file: StrippedFile, options: DecodeOptions) -> Image.Image:
    min_side, strict = options.min_side, options.strict

    def opened(data: bytes) -> Image.Image:
        image = open_image(data)
        if file.sample_layout is None:  # else its size counts bytes, not pixels
            _check_size(image.size, options.max_pixels)
        allocate(image)
        if min_side is not None and image.format == "JPEG" and image.mode in ("RGB", "L"):
            least = ceil(min_side * DRAFT_MARGIN)
            image.draft(None, (least, least))
        return image

    is_truncated = file.truncated
    try:
        image = opened(file.data)
        image.load()
    except OSError as error:
        if not (file.truncated or "truncated" in str(error)):
            raise
        partial_image = None if strict else repaired(file, opened)
        if partial_image is None:
            raise ImageError("decode", TRUNCATED) from error
        image, is_truncated = partial_image, True
    if is_truncated and strict:
        raise ImageError("decode", TRUNCATED)
    profile = file.profile or image.info.get("icc_profile")
    exif_orientation = file.orientation if file.kind != "ISO" else orientation(_bytes(image.info.get("exif")))
    if file.sample_layout is not None:
        image = to_eight_bits(image, file.sample_layout)
    has_alpha = file.alpha or file.kind not in ("BMP", "TIFF")
    flat = flatten(image, profile, options.factor(image.size), has_alpha=has_alpha)
    del image
    if exif_orientation in TRANSPOSITIONS:
        flat = flat.transpose(TRANSPOSITIONS[exif_orientation])
    flat.info = {REPAIRED: True} if is_truncated else {}
    return flat


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _not_an_image(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "not an image: the file holds a web page"
    if start.startswith((b"\xff\xd8", b"\x89png")):
        return "damaged image: its header cannot be read"
    if b"ftyp" in start[:12] and start[8:12] in (b"avif", b"avis"):
        return "damaged image: its header cannot be read"
    if b"ftyp" in start[:12] and start[8:12] in (b"heic", b"heix", b"mif1", b"hevc"):
        if is_supported("HEIF"):
            return "damaged image: its header cannot be read"
        return "a HEIC image: install image-similarity[heif] to read it"
    if start[:4] in (b"ii*\0", b"mm\0*", b"ii+\0", b"mm\0+"):
        return tiff.UNSUPPORTED
    return "not an image in any known format"
