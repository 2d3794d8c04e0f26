"""Approximate nearest rows of every row of a large catalogue: rows are compared with those of the cells near theirs.

First by dot products of principal components, for all rows of a cell at once, so that what they are compared with stays
in the processor's cache. Then the best of them are re-ranked by the stored vectors. How many cells are searched and how
many rows re-ranked is measured on the catalogue's own rows beforehand.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.allpairs.work_folder import resume
from image_similarity.neighbours.cells.effort import effort_for
from image_similarity.neighbours.cells.rows import CellRows
from image_similarity.neighbours.duplicates import expand_pairs
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

BLOCK = 32_768  # rows: what an interrupted run repeats at most
DONE, ROWS, SCORES = "done.txt", "rows.npy", "scores.npy"


@dataclass(frozen=True, slots=True)
class CellPairs:
    """The nearest rows, and the effort with which they were found."""

    nearest: Neighbours
    effort: Effort


def cell_pairs(
    index: CellsIndex, k: int, folder: Path, progress: Progress = no_progress, block: int = BLOCK
) -> CellPairs:
    """The ``k`` nearest rows of every row, itself among them, of those in the cells near its own.

    Args:
        index: the cells.
        k: nearest rows per row; all, where there are fewer.
        folder: for resumable work; the results are memory maps of files in it.
        progress: receives the number of rows done.
        block: the number of rows, about, that are done together.

    Raises:
        OutputError: the folder cannot be written to.
    """
    vectors, duplicates, count = index.vectors, index.duplicates, min(k, index.distinct)
    # With duplicates, the nearest slots of every slot are found, one line for each, and expanded to rows at the end.
    lines = len(vectors) if duplicates is None else len(duplicates.starts) - 1
    resume(folder, vectors, {"k": count, "cells": index.facts.cells, "lines": lines, "way": "cells"})
    rows = CellRows.of(index, folder)
    effort = effort_for(rows, vectors, count)
    done = int((folder / DONE).read_text()) if (folder / DONE).exists() else 0
    mode = "r+" if done else "w+"
    found_rows = np.lib.format.open_memmap(folder / ROWS, mode, np.int32, (lines, count))
    found_scores = np.lib.format.open_memmap(folder / SCORES, mode, np.float32, (lines, count))

    def search(cell: int) -> None:
        queries = rows.of_cell(cell)
        if len(queries):
            candidates = rows.candidates(cell, effort.probes, max(effort.rerank, count))
            found = neighbours_of(rerank(vectors, vectors[queries], candidates, count))
            line = queries if duplicates is None else index.slots_of(queries)
            found_rows[line] = found.rows if duplicates is None else index.slots_of(found.rows)
            found_scores[line] = found.scores

    with ThreadPoolExecutor(processors(), initializer=_one_thread) as pool:
        for cells in rows.blocks(done, block):
            progress("nearest", rows.before(cells.start), len(rows.order))
            list(pool.map(search, cells))
            found_rows.flush()
            found_scores.flush()
            with replacing(folder / DONE) as path:
                path.write_text(str(cells.stop))
    progress("nearest", len(rows.order), len(rows.order))
    nearest = Neighbours(rows=np.load(folder / ROWS, mmap_mode="r"), scores=np.load(folder / SCORES, mmap_mode="r"))
    if duplicates is not None:
        nearest = expand_pairs(duplicates, nearest, min(k, len(vectors)), folder)
    return CellPairs(nearest, effort)


def _one_thread() -> None:
    """Make FAISS use the calling thread only: the pool already has a thread for each processor."""
    import faiss

    faiss.omp_set_num_threads(1)
