"""Small records as JSON files, each with a checksum: a file that was changed or damaged is rejected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from image_similarity.util.files import read_file, replacing
from image_similarity.util.plain_values import plain

if TYPE_CHECKING:
    from pathlib import Path

SEAL = "seal"
DIGITS = 16


def write_sealed(path: Path, record: Any) -> None:
    """Write a record, a dataclass or a dictionary, and replace the previous one atomically.

    Raises:
        OutputError: it cannot be written; the previous record stays.
    """
    values = plain(record)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**values, SEAL: _seal(values)}, indent=1), encoding="utf-8")


def read_sealed(path: Path) -> dict[str, Any]:
    """Read a record, check its seal and remove it.

    Raises:
        FileNotFoundError, OSError: there is no such file, or it cannot be read.
        ValueError: it is no record, or its checksum is wrong.
    """
    try:
        record = json.loads(read_file(path))
    except RecursionError as error:
        raise ValueError("its brackets are nested too deep") from error
    if not isinstance(record, dict):
        raise ValueError("it is no record")
    if record.pop(SEAL, None) != _seal(record):
        raise ValueError("it has changed since it was written")
    return record


def _seal(values: dict[str, Any]) -> str:
    import hashlib  # imports OpenSSL: commands that seal nothing start faster without it

    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
