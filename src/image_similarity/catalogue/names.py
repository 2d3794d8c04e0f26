"""File names and ids of images: detect image files, check ids used as paths, generate ids for addresses."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from image_similarity.catalogue.addresses import DATA, stable_address

IMAGE_EXTENSIONS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"),
)
"""The extensions of image files in folder catalogues, in lower case."""

RESERVED = re.compile(r"(images|listing|products)\.(csv|tsv|txt|jsonl|ndjson|parquet)(\.gz)?", re.IGNORECASE)
MAX_PART = 200  # bytes: file systems allow 255, and temporary files have longer names
MAX_ID = 1000  # bytes: file systems allow 1,024 or 4,096 for a whole path
MAX_WORD = 60  # characters of a product id or an address kept in a generated id


def is_image_name(name: str) -> bool:
    """Whether a file name is an image's: a known extension in any case, and not hidden."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in IMAGE_EXTENSIONS


def product_of(file_name: str) -> str:
    """The product of a file, by the first version's rule: its name up to the first ``_``, or to the extension."""
    return PurePosixPath(file_name).stem.split("_", 1)[0]


def unsafe_reason(image_id: str) -> str | None:
    """Why an image id cannot be used as a path below a folder; None if it can.

    A safe id has one or more parts separated by ``/``, none of them empty, hidden, ``..`` or too long for a file
    system, and is not the name of a table that a folder catalogue reads.
    """
    parts = image_id.split("/")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in image_id):
        return "the image id holds a control character"
    if "\\" in image_id or PureWindowsPath(image_id).drive:
        return "the image id is a Windows path"
    if any(part.strip(" .") == "" for part in parts):
        return "the image id has an empty part or a '..'"
    if any(part.startswith(".") for part in parts):
        return "the image id is a hidden name"
    if any(len(part.encode()) > MAX_PART for part in parts):
        return f"the image id has a part of more than {MAX_PART} bytes"
    if len(image_id.encode()) > MAX_ID:
        return f"the image id has more than {MAX_ID} bytes"
    if RESERVED.fullmatch(image_id):
        return "the image id is the name of a catalogue's table"
    return None


def name_for_address(address: str, product_id: str) -> str:
    """Generate an image id for an address: stable, readable, and unique to the product and address.

    An address whose signature changes daily keeps its id: only :func:`stable_address` of it is used.

    ``https://shop.example/a/red ball.png`` of product ``7`` becomes ``7_red-ball-<10 hex digits>.png``: if the
    product's id has only letters, digits, ``-`` and ``.``, :func:`product_of` returns it.
    """
    address = stable_address(address)
    last = "" if address.startswith(DATA) else PurePosixPath(unquote(_path_of(address))).name
    extension = PurePosixPath(last).suffix.lower()
    stem = _word(last[: len(last) - len(extension)] if extension in IMAGE_EXTENSIONS else last)
    digest = sha256(f"{product_id}\0{address}".encode(errors="surrogatepass")).hexdigest()[:10]
    extension = extension if extension in IMAGE_EXTENSIONS else ".jpg"
    return f"{_word(product_id)}_{stem}-{digest}{extension}"


def is_text(name: str) -> bool:
    """Whether a file name is valid text, without undecodable bytes (surrogate escapes)."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(path: Path) -> str:
    """A path as text that can be printed and stored, whatever bytes its name has."""
    return shown_text(str(path))


def shown_text(name: str) -> str:
    """A name as text that can be printed and stored."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _path_of(address: str) -> str:
    """The path of an address, even of an invalid one."""
    try:
        return urlsplit(address).path
    except ValueError:  # brackets without an IPv6 address
        return address.partition("?")[0]


def _word(text: str) -> str:
    """Keep letters, digits, ``-`` and inner ``.``; replace everything else by one ``-``."""
    word = re.sub(r"[^\w.-]+|_+", "-", text, flags=re.ASCII)[:MAX_WORD].strip(".-")
    return word or "image"
