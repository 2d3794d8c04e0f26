"""A folder of work that may be broken off: what is in it is of this work, or it is empty."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.util.files import replacing
from image_similarity.util.memory import release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FACTS = "work.json"
ROWS = 1024  # digested at a time


def resume(folder: Path, vectors: NDArray[np.float16], facts: Mapping[str, object]) -> None:
    """Keep what an earlier run of the same work left in a folder, and nothing else.

    Args:
        folder: made when it is not there, emptied when it is of other work.
        vectors: ``(n, dimension)``, what the work is on.
        facts: what else decides its outcome; JSON.

    Raises:
        OutputError: the folder cannot be written to.
    """
    told = json.dumps({**facts, "shape": vectors.shape, "digest": _digest(vectors)}, sort_keys=True)
    path = folder / FACTS
    if path.exists() and path.read_text(encoding="utf-8") == told:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with replacing(path) as temporary:
        temporary.write_text(told, encoding="utf-8")


def _digest(vectors: NDArray[np.float16]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(vectors), ROWS):
        digest.update(np.ascontiguousarray(vectors[start : start + ROWS]).data)
        release(vectors[start : start + ROWS])
    return digest.hexdigest()
