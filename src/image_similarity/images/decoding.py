"""Bytes to upright RGB in sRGB, or an :class:`ImageError` with the stage and the reason.

Photos come with a camera's rotation, printers' inks, transparency, sixteen bits a channel and worse. All of that is
dealt with here, once, so that no other module ever sees anything but upright RGB.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from image_similarity.errors import ImageError, ImageSimilarityError
from image_similarity.images import jpeg, png, tiff, webp
from image_similarity.images.decoder import DecodeOptions, DecodeTask, cost, current_decoder
from image_similarity.images.exif import orientation, without_exif
from image_similarity.images.pillow_files import make_room, open_image, reads
from image_similarity.images.sample_depth import to_eight_bits
from image_similarity.images.stripped_file import CUT_SHORT, StrippedFile
from image_similarity.images.to_rgb import flatten
from image_similarity.images.truncated_files import repaired
from image_similarity.settings import MOST_FILE_BYTES
from image_similarity.util.files import open_file

DRAFT_MARGIN = 2  # a reduced JPEG keeps at least twice the pixels that the network takes: resampling stays honest
DRAFTED = (1, 3)  # channels of a JPEG that can be reduced: grey and colours, not inks
MOST_SCANS = 100
"""Of a JPEG. Encoders make ten or so; each is a pass over the whole image, and a file of a few bytes can ask for
thousands."""
DEEPEST = 16
"""Bytes of a pixel of numbers, four of 32 bits; of deeper ones an image may have fewer."""
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
"""By how a file begins."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF's orientation: what makes the image upright."""


def read_bytes(path: Path, most: int = MOST_FILE_BYTES) -> bytes:
    """Read an image's file.

    Raises:
        ImageError: stage ``read``: it is not there, not readable, no file with an end, empty, or of more than ``most``
            bytes.
    """
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(most + 1) if size <= most else b""
    except OSError as error:
        raise ImageError("read", error.strerror or str(error)) from error
    except ValueError as error:  # a name that no file can have
        raise ImageError("read", str(error)) from error
    if max(size, len(data)) > most:
        raise ImageError("read", f"{size} bytes are more than the limit of {most}")
    if not data:
        raise ImageError("read", "the file is empty")
    return data


def decode(
    data: bytes, *, max_pixels: int, min_side: int | None = None, target_pixels: int | None = None, strict: bool = False
) -> Image.Image:
    """Decode an image to upright RGB; of an animation the first frame, of transparency the image over white.

    What the file holds beside its pixels never decides whether it is used. One that was cut short is used where at
    most a twentieth of its pixels is missing (``truncated_files.py``); :func:`was_repaired` tells.

    Args:
        data: the file's bytes; JPEG, PNG, GIF, WebP, BMP, TIFF, and with Pillow's plugins AVIF and HEIC.
        max_pixels: an image that declares more is refused before it is decoded.
        min_side: pixels a side that the caller will keep; lets a JPEG be decoded at half, a quarter or an eighth of
            its size, which is several times faster. None: every pixel.
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
        if file.scans > MOST_SCANS:
            raise ImageError("decode", f"{file.scans} scans are more than the limit of {MOST_SCANS}")
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
    except Exception as error:  # a codec may raise anything at all on hostile bytes
        raise ImageError("decode", f"damaged image: {error or type(error).__name__}") from error


def was_repaired(image: Image.Image) -> bool:
    """Whether a decoded image's file was cut short."""
    return REPAIRED in image.info


def stripped_image(data: bytes) -> StrippedFile:
    """A file without whatever does not draw its image."""
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
    if width * height > max_pixels * DEEPEST:
        raise ImageError(
            "decode", f"{width * height} bytes of numbers are more than the limit of {max_pixels} pixels of {DEEPEST}"
        )


def _decode(file: StrippedFile, options: DecodeOptions) -> Image.Image:
    min_side, strict = options.min_side, options.strict

    def opened(data: bytes) -> Image.Image:
        image = open_image(data)
        if file.sample_layout is None:  # else its size is that of its bytes
            _check_size(image.size, options.max_pixels)
        make_room(image)
        if min_side is not None and image.format == "JPEG" and image.mode in ("RGB", "L"):
            image.draft(None, (min_side * DRAFT_MARGIN, min_side * DRAFT_MARGIN))
        return image

    is_cut = file.cut
    try:
        image = opened(file.data)
        image.load()
    except OSError as error:
        if not (file.cut or "truncated" in str(error)):
            raise
        found = None if strict else repaired(file, opened)
        if found is None:
            raise ImageError("decode", CUT_SHORT) from error
        image, is_cut = found, True
    if is_cut and strict:
        raise ImageError("decode", CUT_SHORT)
    profile = file.profile or image.info.get("icc_profile")
    turn = file.orientation if file.kind != "ISO" else orientation(_bytes(image.info.get("exif")))
    if file.sample_layout is not None:
        image = to_eight_bits(image, file.sample_layout)
    says_alpha = file.alpha or file.kind not in ("BMP", "TIFF")
    flat = flatten(image, profile, options.factor(image.size), says_alpha=says_alpha)
    del image
    if turn in TURNS:
        flat = flat.transpose(TURNS[turn])
    flat.info = {REPAIRED: True} if is_cut else {}
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
        if reads("HEIF"):
            return "damaged image: its header cannot be read"
        return "a HEIC image: install image-similarity[heif] to read it"
    if start[:4] in (b"ii*\0", b"mm\0*", b"ii+\0", b"mm\0+"):
        return tiff.UNREAD
    return "not an image in any known format"
