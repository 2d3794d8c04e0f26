"""Folders of resumable work: each holds files of one piece of work only."""

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
ROWS = 1024  # hashed at a time


def resume(folder: Path, vectors: NDArray[np.float16], facts: Mapping[str, object]) -> None:
    """Prepare a folder: keep what an interrupted run of the same work left in it, remove anything else.

    Args:
        folder: created where it is missing, emptied where it holds other work.
        vectors: ``(n, dimension)``, the input of the work.
        facts: everything else that determines its result; JSON.

    Raises:
        OutputError: the folder cannot be written to.
    """
    text = json.dumps({**facts, "shape": vectors.shape, "digest": _digest(vectors)}, sort_keys=True)
    path = folder / FACTS
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(folder, ignore_errors=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _digest(vectors: NDArray[np.float16]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for start in range(0, len(vectors), ROWS):
        digest.update(np.ascontiguousarray(vectors[start : start + ROWS]).data)
        release(vectors[start : start + ROWS])
    return digest.hexdigest()
