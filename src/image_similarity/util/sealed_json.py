"""Small records as JSON files, each with a digest of itself: one that has changed since is never believed."""

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
    """Put a record in place of the one before, in one step.

    Args:
        path: its file.
        record: a dataclass or a dictionary.

    Raises:
        OutputError: it cannot be written; the one before stays.
    """
    values = plain(record)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**values, SEAL: _seal(values)}, indent=1), encoding="utf-8")


def read_sealed(path: Path) -> dict[str, Any]:
    """A record, without its seal.

    Raises:
        FileNotFoundError, OSError: there is no such file, or it cannot be read.
        ValueError: it is no record, or not what was written.
    """
    try:
        record = json.loads(read_file(path))
    except RecursionError as error:
        raise ValueError("its brackets stand too deep") from error
    if not isinstance(record, dict):
        raise ValueError("it is no record")
    if record.pop(SEAL, None) != _seal(record):
        raise ValueError("it has changed since it was written")
    return record


def _seal(values: dict[str, Any]) -> str:
    import hashlib  # brings OpenSSL: a command that seals nothing is quicker without

    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
