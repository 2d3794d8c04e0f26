"""The nearest rows of every row of a large catalogue: a cell's rows are compared with all rows of the cells near it.

A first look at dot products of principal components, computed for a whole cell at once, then a close look at the best
of them as they are stored. Rows of one cell are asked together, and what they are compared with stays in the
processor's cache. How many cells and how many close looks is measured on the catalogue's own rows beforehand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.allpairs.work_folder import resume
from image_similarity.neighbours.cells.effort import effort_for
from image_similarity.neighbours.cells.rows import CellRows
from image_similarity.neighbours.duplicates import spread
from image_similarity.neighbours.packed_scores import neighbours_of
from image_similarity.neighbours.rerank import rerank
from image_similarity.types import Neighbours, no_progress
from image_similarity.util.files import replacing
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.neighbours.cells.codes import Effort
    from image_similarity.neighbours.cells.index import CellsIndex
    from image_similarity.types import Progress

BLOCK = 32_768  # rows: what a broken-off run does again at most
DONE, ROWS, SCORES = "done.txt", "rows.npy", "scores.npy"


@dataclass(frozen=True, slots=True)
class CellPairs:
    """The answer, and how far was looked for it."""

    nearest: Neighbours
    effort: Effort


def cell_pairs(
    index: CellsIndex, k: int, folder: Path, progress: Progress = no_progress, block: int = BLOCK
) -> CellPairs:
    """The ``k`` nearest rows of every row, itself among them, as far as they are found in the cells near its own.

    Args:
        index: the cells.
        k: rows wanted; all, where there are fewer.
        folder: for what is done so far; the answers are memory maps of files in it.
        progress: told how many rows are done.
        block: about so many rows are done together.

    Raises:
        OutputError: the folder cannot be written to.
    """
    vectors, twins, count = index.vectors, index.twins, min(k, index.different)
    lines = len(vectors) if twins is None else len(twins.starts) - 1  # with twins, slots are asked and found
    resume(folder, vectors, {"k": count, "cells": index.facts.cells, "lines": lines, "way": "cells"})
    rows = CellRows.of(index, folder)
    effort = effort_for(rows, vectors, count)
    done = int((folder / DONE).read_text()) if (folder / DONE).exists() else 0
    mode = "r+" if done else "w+"
    found_rows = np.lib.format.open_memmap(folder / ROWS, mode, np.int32, (lines, count))
    found_scores = np.lib.format.open_memmap(folder / SCORES, mode, np.float32, (lines, count))

    def look(cell: int) -> None:
        asked = rows.of_cell(cell)
        if len(asked):
            candidates = rows.candidates(cell, effort.probes, max(effort.close, count))
            found = neighbours_of(rerank(vectors, vectors[asked], candidates, count))
            line = asked if twins is None else index.slots_of(asked)
            found_rows[line] = found.rows if twins is None else index.slots_of(found.rows)
            found_scores[line] = found.scores

    with ThreadPoolExecutor(processors(), initializer=_one_thread) as pool:
        for cells in rows.blocks(done, block):
            progress("nearest", rows.before(cells.start), len(rows.order))
            list(pool.map(look, cells))
            found_rows.flush()
            found_scores.flush()
            with replacing(folder / DONE) as path:
                path.write_text(str(cells.stop))
    progress("nearest", len(rows.order), len(rows.order))
    answers = Neighbours(rows=np.load(folder / ROWS, mmap_mode="r"), scores=np.load(folder / SCORES, mmap_mode="r"))
    if twins is not None:
        answers = spread(twins, answers, min(k, len(vectors)), folder)
    return CellPairs(answers, effort)


def _one_thread() -> None:
    """FAISS is to use the thread that calls it: the cells are spread over the processors by us."""
    import faiss

    faiss.omp_set_num_threads(1)
