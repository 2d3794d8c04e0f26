"""The nearest rows of every row of a large catalogue, cell after cell: neighbours look at the same rows, which are then
still in the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.files import replacing
from image_similarity.neighbours.work import take_up
from image_similarity.types import Neighbours, no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.neighbours.cells import CellsIndex
    from image_similarity.types import Progress

BLOCK = 32_768  # rows: what a broken-off run does again at most
DONE, ROWS, SCORES = "done.txt", "rows.npy", "scores.npy"


def cell_pairs(index: CellsIndex, k: int, folder: Path, progress: Progress = no_progress) -> Neighbours:
    """The ``k`` nearest rows of every row, itself among them, as far as the index finds them.

    Args:
        index: the cells; how far they are looked into is what they need for all products at once.
        k: rows wanted; all, where there are fewer.
        folder: for what is done so far; the answers are memory maps of files in it.
        progress: told how many rows are done.

    Raises:
        OutputError: the folder cannot be written to.
    """
    vectors, count = index.vectors, min(k, len(index.vectors))
    index = index.with_effort(index.facts.catalogue)
    take_up(folder, vectors, {"k": count, "probes": index.effort.probes, "close": index.effort.close})
    done = int((folder / DONE).read_text()) if (folder / DONE).exists() else 0
    mode = "r+" if done else "w+"
    rows = np.lib.format.open_memmap(folder / ROWS, mode, np.int32, (len(vectors), count))
    scores = np.lib.format.open_memmap(folder / SCORES, mode, np.float32, (len(vectors), count))
    order = index.order()
    for start in range(done, len(order), BLOCK):
        progress("nearest", start, len(order))
        asked = order[start : start + BLOCK]
        found = index.search(vectors[asked], count)
        rows[asked], scores[asked] = found.rows, found.scores
        rows.flush()
        scores.flush()
        with replacing(folder / DONE) as path:
            path.write_text(str(start + len(asked)))
    progress("nearest", len(order), len(order))
    return Neighbours(rows=np.load(folder / ROWS, mmap_mode="r"), scores=np.load(folder / SCORES, mmap_mode="r"))
