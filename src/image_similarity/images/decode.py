"""Bytes to upright RGB in sRGB, or an :class:`ImageError` with the stage and the reason.

Photos come with a camera's rotation, printers' inks, transparency, sixteen bits a channel and worse. All of that is
dealt with here, once, so that no other module ever sees anything but upright RGB.
"""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from image_similarity.errors import ImageError
from image_similarity.images.quiet import quiet

WHITE = (255, 255, 255)
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")
"""What is read, beside HEIC. Of the forty others some run programs, some declare one size and decode another."""
PLUGINS = ("Jpeg", "Png", "Gif", "WebP", "Bmp", "Tiff", "Avif")
DRAFT_MARGIN = 2  # a reduced JPEG keeps at least twice the pixels that the network takes: resampling stays honest

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before any pixel is decoded, and is an error, not a warning


def read_bytes(path: Path) -> bytes:
    """Read a file.

    Raises:
        ImageError: stage ``read``: it is not there, not readable, or empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError("read", error.strerror or str(error)) from error
    except ValueError as error:  # a name that no file can have
        raise ImageError("read", str(error)) from error
    if not data:
        raise ImageError("read", "the file is empty")
    return data


def decode(data: bytes, *, max_pixels: int, at_least: int | None = None) -> Image.Image:
    """Decode a picture to upright RGB; of an animation the first frame, of transparency the picture over white.

    Args:
        data: the file's bytes; JPEG, PNG, GIF, WebP, BMP, TIFF, and with Pillow's plugins AVIF and HEIC.
        max_pixels: a picture that declares more is refused before it is decoded.
        at_least: pixels a side that the caller will keep; lets a JPEG be decoded at half, a quarter or an eighth of
            its size, which is several times faster. None: every pixel.

    Raises:
        ImageError: stage ``decode``: not a picture, damaged, or too large.
    """
    try:
        # A damaged tag is worth a warning to Pillow; to us a picture either decodes or does not.
        with quiet():
            return _decode(data, max_pixels, at_least)
    except UnidentifiedImageError:
        raise ImageError("decode", _not_a_picture(data)) from None
    except ImageError:
        raise
    except Exception as error:  # a codec may raise anything at all on hostile bytes
        raise ImageError("decode", f"damaged picture: {error or type(error).__name__}") from error


def _decode(data: bytes, max_pixels: int, at_least: int | None) -> Image.Image:
    formats = _formats()
    if data[4:8] == b"ftyp" and _reads_heif():
        formats += ("HEIF",)
    with Image.open(io.BytesIO(data), formats=formats) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ImageError("decode", f"{width} x {height} pixels are more than the limit of {max_pixels}")
        if at_least is not None and image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
            image.draft(None, (at_least * DRAFT_MARGIN, at_least * DRAFT_MARGIN))
        image.load()
        profile = image.info.get("icc_profile")
        upright = ImageOps.exif_transpose(image)
        return _flatten(_eight_bit(upright), profile)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring sixteen and thirty-two bits a channel down to eight by scale, where Pillow would clip."""
    clear = image.info.get("transparency")  # of a PNG without alpha: one shade or colour, in the file's own bits
    if image.mode.startswith(("I;16", "I")):
        values = np.asarray(image).astype(np.int64)
        grey = Image.fromarray((np.clip(values, 0, 65535) // 257).astype(np.uint8))
        return grey if clear is None else Image.merge("LA", (grey, Image.fromarray(values != clear).convert("L")))
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image))
        top = 1.0 if values.max(initial=0.0) <= 1.0 else 255.0
        return Image.fromarray(np.clip(values * (255.0 / top), 0, 255).astype(np.uint8))
    if image.mode == "RGB" and isinstance(clear, tuple) and max(clear) > 255:  # of its pixels Pillow keeps a byte
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    return image


def _flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Any mode to RGB, transparency over white, colours through the embedded profile to sRGB."""
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        alpha = colours.getchannel("A")
        flat = Image.new("RGB", image.size, WHITE)
        flat.paste(_to_srgb(colours.convert("RGB"), profile), mask=alpha)
        return flat
    if image.mode == "P":
        image = image.convert("RGB")
    if image.mode in ("RGB", "CMYK"):
        image = _to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply an embedded colour profile; one that says sRGB, does not fit or is damaged changes nothing."""
    if not profile:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted


def _not_a_picture(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "not a picture: the file holds a web page"
    if start.startswith((b"\xff\xd8", b"\x89png")):
        return "damaged picture: its header cannot be read"
    if b"ftyp" in start[:12] and start[8:12] in (b"heic", b"heix", b"mif1", b"hevc"):
        if _reads_heif():
            return "damaged picture: its header cannot be read"
        return "a HEIC picture: install image-similarity[heif] to read it"
    return "not a picture in any known format"


@cache
def _formats() -> tuple[str, ...]:
    """Those of :data:`FORMATS` that Pillow itself reads here. Its forty other plugins are not even imported."""
    for name in PLUGINS:
        with suppress(ImportError):
            import_module(f"PIL.{name}ImagePlugin")
    return tuple(name for name in FORMATS if name in Image.OPEN)


@cache
def _reads_heif() -> bool:
    """Whether HEIC can be read: it needs a plugin of Pillow's, an extra, which takes longer to import than Pillow."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
