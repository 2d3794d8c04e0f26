"""The images that one cell names: one or several, divided by signs, as a JSON or Python list, or the bytes."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isnan
from pathlib import PurePosixPath

from image_similarity.catalogue.names import IMAGE_ENDINGS

DIVIDERS = ("\n", "\t", "|", ";", ",")
BETWEEN_ADDRESSES = re.compile(r"[\s,;|]+(?=(?:https?:)?//)", re.IGNORECASE)
ADDRESS = re.compile(r"(?:https?:)?//", re.IGNORECASE)
LONGEST = 20_000  # characters of what is read as Python: nothing in a cell may take long
QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
INSIDE = (
    *("bytes", "src", "url", "image_url", "href", "link", "path", "file", "file_name", "image", "original", "large"),
    "images",
)
"""Names under which an object has its image, the first that is there counts."""


def images_in(cell: object, is_there: Callable[[str], bool]) -> list[str]:
    """Paths and addresses, each once; an image's bytes as a ``data:`` address. ``is_there`` knows files' names."""
    return list(dict.fromkeys(text for text in _texts(cell, is_there) if text))


def whole_text(text: str) -> str:
    """The text without halves of surrogate pairs, which JSON can spell and no file and no database takes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _texts(cell: object, is_there: Callable[[str], bool]) -> list[str]:
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return [f"data:application/octet-stream;base64,{b64encode(cell).decode()}"] if cell else []
    if isinstance(cell, (list, tuple)):
        return [text for each in cell for text in _texts(each, is_there)]
    if isinstance(cell, Mapping):
        inner = next((cell[name] for name in INSIDE if cell.get(name)), None)
        if inner is not None:
            return _texts(inner, is_there)
        named = [text for each in cell.values() for text in _texts(each, is_there)]  # {"front": ..., "back": ...}
        return [text for text in named if _is_image(text)]
    if cell is None or (isinstance(cell, float) and isnan(cell)):
        return []
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    return _divided(whole_text(text), is_there)


def _divided(text: str, is_there: Callable[[str], bool]) -> list[str]:
    if text[:1] in "[{(" and text[-1:] in "]})" and len(text) > 1:
        listed = _listed(text, is_there)
        if listed is not None:
            return listed
    if text[:5].lower() == "data:":
        return [text]
    if "//" in text:
        parts = BETWEEN_ADDRESSES.split(text)
        if len(parts) > 1:
            return [each for part in parts for each in _divided(part.strip(" \t\r\n,;|"), is_there)]
        if ADDRESS.match(text) and not re.search(r"\s", text):
            return [text]  # with signs of its own, as in https://host/w_200,h_300/a.jpg
    for divider in DIVIDERS:
        if divider in text:
            parts = [part for part in (part.strip() for part in text.split(divider)) if part]
            if parts and (all(map(_is_image, parts)) or divider == "\n") and not is_there(text):
                return [each for part in parts for each in _divided(part, is_there)] if parts != [text] else parts
    return [text]


def _listed(text: str, is_there: Callable[[str], bool]) -> list[str] | None:
    """The elements of a list as JSON, Python, numpy or PostgreSQL write it."""
    for read in (json.loads, literal_eval) if "{" in text and len(text) <= LONGEST else (json.loads,):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = read(text)
            if isinstance(value, (list, dict)):
                return _texts(value, is_there)
    quoted = [single or double for single, double in QUOTED.findall(text)]
    if quoted and not text.startswith("{'"):
        return [re.sub(r"\\(.)", r"\1", each).strip() for each in quoted]
    inside = text[1:-1].strip()
    if inside in ("None", "nan"):
        return []
    return None if is_there(text) else _divided(inside, is_there)


def shows_image(cell: object, *, expected: bool) -> bool:
    """Whether a cell names an image; where that is ``expected``, any address is taken for one's."""
    text = cell.strip() if isinstance(cell, str) else ""
    parts = re.split(r"[,;|\s]+", text[:LONGEST]) if text else []
    return bool(parts) and all(_has_ending(part) or (expected and ADDRESS.match(part) is not None) for part in parts)


def _has_ending(text: str) -> bool:
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    return PurePosixPath(path.replace("\\", "/")).suffix.lower() in IMAGE_ENDINGS


def _is_image(text: str) -> bool:
    """Whether a text by itself is the name of an image: an address, or a file with such an ending."""
    if ADDRESS.match(text):
        return True
    return _has_ending(text)
