"""Small records of JSON, each with a digest of itself: one that has changed since it was written is never believed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from image_similarity.util.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SEAL = "seal"
DIGITS = 16


def sealed(record: Mapping[str, Any]) -> str:
    """A record as its file has it."""
    return json.dumps({**record, SEAL: _seal(record)}, indent=1)


def read_sealed(path: Path) -> dict[str, Any]:
    """A record, without its seal. One without a seal, as earlier versions wrote them, is taken as it is.

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
    seal = record.pop(SEAL, None)
    if seal is not None and seal != _seal(record):
        raise ValueError("it has changed since it was written")
    return record


def _seal(record: Mapping[str, Any]) -> str:
    plain = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()[:DIGITS]
