"""Names of images: which file names are images or text at all, which ids are safe as paths, names for addresses."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from image_similarity.catalogue.addresses import DATA, stable_address

IMAGE_ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"),
)
"""The endings of the files that a folder source takes for images, in lower case."""

RESERVED = re.compile(r"(images|listing|products)\.(csv|tsv|txt|jsonl|ndjson|parquet)(\.gz)?", re.IGNORECASE)
LONGEST_PART = 200  # bytes: file systems stop at 255, and a temporary name adds to this one
LONGEST_ID = 1000  # bytes: so is a whole path, at 1,024 or 4,096
LONGEST_WORD = 60  # characters of a product's id or of an address that stay readable in a made name


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for an image: a known ending in any case, and not hidden."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in IMAGE_ENDINGS


def product_of(file_name: str) -> str:
    """The first version's rule: a file's product is its name up to the first ``_``, or to the extension."""
    return PurePosixPath(file_name).stem.split("_", 1)[0]


def unsafe_reason(image_id: str) -> str | None:
    """Say why an image's id cannot be a file's path below a folder, or None where it can.

    Safe is: one or more parts divided by ``/``, none of them empty, hidden, ``..`` or too long for a file system; and
    not the name of a table that this package looks for in such a folder.
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
    if any(len(part.encode()) > LONGEST_PART for part in parts):
        return f"the image id has a part of more than {LONGEST_PART} bytes"
    if len(image_id.encode()) > LONGEST_ID:
        return f"the image id has more than {LONGEST_ID} bytes"
    if RESERVED.fullmatch(image_id):
        return "the image id is the name of a catalogue's table"
    return None


def name_for_address(address: str, product_id: str) -> str:
    """Make an image id for an address: stable, readable, unlike any other product's or address's.

    An address that is signed anew every day keeps its name: only what :func:`stable_address` leaves counts.

    ``https://shop.example/a/red ball.png`` of product ``7`` becomes ``7_red-ball-<10 hex digits>.png``: where the
    product's id is made of letters, digits, ``-`` and ``.`` alone, :func:`product_of` gives it back.
    """
    address = stable_address(address)
    last = "" if address.startswith(DATA) else PurePosixPath(unquote(_path_of(address))).name
    ending = PurePosixPath(last).suffix.lower()
    stem = _word(last[: len(last) - len(ending)] if ending in IMAGE_ENDINGS else last)
    digest = sha256(f"{product_id}\0{address}".encode(errors="surrogatepass")).hexdigest()[:10]
    ending = ending if ending in IMAGE_ENDINGS else ".jpg"
    return f"{_word(product_id)}_{stem}-{digest}{ending}"


def is_text(name: str) -> bool:
    """Whether a file's name is text, and not bytes that Python had to smuggle through."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def shown(path: Path) -> str:
    """A path that can be printed and stored, whatever bytes its name is made of."""
    return shown_text(str(path))


def shown_text(name: str) -> str:
    """The same for a piece of it."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _path_of(address: str) -> str:
    """The path of an address, even of one that is none."""
    try:
        return urlsplit(address).path
    except ValueError:  # brackets that hold no address of IPv6
        return address.partition("?")[0]


def _word(text: str) -> str:
    """Keep letters, digits, ``-`` and inner ``.``; everything else becomes one ``-``."""
    word = re.sub(r"[^\w.-]+|_+", "-", text, flags=re.ASCII)[:LONGEST_WORD].strip(".-")
    return word or "image"
