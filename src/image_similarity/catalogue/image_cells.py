"""Extract the images named in a cell: one or several, separated, as a JSON or Python list, or as bytes."""

from __future__ import annotations

import json
import re
from ast import literal_eval
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import isnan
from pathlib import PurePosixPath

from image_similarity.catalogue.names import IMAGE_EXTENSIONS

SEPARATORS = ("\n", "\t", "|", ";", ",")
BETWEEN_ADDRESSES = re.compile(r"[\s,;|]+(?=(?:https?:)?//)", re.IGNORECASE)
ADDRESS = re.compile(r"(?:https?:)?//", re.IGNORECASE)
MAX_LITERAL = 20_000  # characters parsed as a Python literal, to bound the time
QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
IMAGE_KEYS = (
    *("bytes", "src", "url", "image_url", "href", "link", "path", "file", "file_name", "image", "original", "large"),
    "images",
)
"""Keys under which an object has its image; the first one present is used."""


def images_in(cell: object, exists: Callable[[str], bool]) -> list[str]:
    """Paths and addresses, each once; an image's bytes as a ``data:`` address. ``exists``: whether a file exists."""
    return list(dict.fromkeys(text for text in _texts(cell, exists) if text))


def without_surrogates(text: str) -> str:
    """Replace lone surrogates, which JSON can contain but files and databases cannot store."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _texts(cell: object, exists: Callable[[str], bool]) -> list[str]:
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return [f"data:application/octet-stream;base64,{b64encode(cell).decode()}"] if cell else []
    if isinstance(cell, (list, tuple)):
        return [text for each in cell for text in _texts(each, exists)]
    if isinstance(cell, Mapping):
        inner = next((cell[name] for name in IMAGE_KEYS if cell.get(name)), None)
        if inner is not None:
            return _texts(inner, exists)
        named = [text for each in cell.values() for text in _texts(each, exists)]  # {"front": ..., "back": ...}
        return [text for text in named if _is_image(text)]
    if cell is None or (isinstance(cell, float) and isnan(cell)):
        return []
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    return _split(without_surrogates(text), exists)


def _split(text: str, exists: Callable[[str], bool]) -> list[str]:
    if text[:1] in "[{(" and text[-1:] in "]})" and len(text) > 1:
        listed = _list_elements(text, exists)
        if listed is not None:
            return listed
    if text[:5].lower() == "data:":
        return [text]
    if "//" in text:
        parts = BETWEEN_ADDRESSES.split(text)
        if len(parts) > 1:
            return [each for part in parts for each in _split(part.strip(" \t\r\n,;|"), exists)]
        if ADDRESS.match(text) and not re.search(r"\s", text):
            return [text]  # separators may be part of it: https://host/w_200,h_300/a.jpg
    for separator in SEPARATORS:
        if separator in text:
            parts = [part for part in (part.strip() for part in text.split(separator)) if part]
            if parts and (all(map(_is_image, parts)) or separator == "\n") and not exists(text):
                return [each for part in parts for each in _split(part, exists)] if parts != [text] else parts
    return [text]


def _list_elements(text: str, exists: Callable[[str], bool]) -> list[str] | None:
    """The elements of a list in the notation of JSON, Python, numpy or PostgreSQL."""
    for read in (json.loads, literal_eval) if "{" in text and len(text) <= MAX_LITERAL else (json.loads,):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            value = read(text)
            if isinstance(value, (list, dict)):
                return _texts(value, exists)
    quoted = [single or double for single, double in QUOTED.findall(text)]
    if quoted and not text.startswith("{'"):
        return [re.sub(r"\\(.)", r"\1", each).strip() for each in quoted]
    inside = text[1:-1].strip()
    if inside in ("None", "nan"):
        return []
    return None if exists(text) else _split(inside, exists)


def shows_image(cell: object, *, expected: bool) -> bool:
    """Whether a cell names an image; if that is ``expected``, any address counts as one."""
    text = cell.strip() if isinstance(cell, str) else ""
    parts = re.split(r"[,;|\s]+", text[:MAX_LITERAL]) if text else []
    return bool(parts) and all(_has_extension(part) or (expected and ADDRESS.match(part) is not None) for part in parts)


def _has_extension(text: str) -> bool:
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    return PurePosixPath(path.replace("\\", "/")).suffix.lower() in IMAGE_EXTENSIONS


def _is_image(text: str) -> bool:
    """Whether a text names an image: an address, or a file with an image extension."""
    if ADDRESS.match(text):
        return True
    return _has_extension(text)
