"""Measure how many cells to search, and how many candidates to re-rank, for the nearest rows of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.cells.codes import Effort
from image_similarity.neighbours.cells.training import CATALOGUE_RECALL, RERANK_COUNTS, SEED, true_nearest
from image_similarity.util.sampling import sample_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.neighbours.cells.rows import CellRows

TEST_ROWS = 512
MAX_PROBES = 128
RERANK_COST = 75  # times that of a comparison of components, measured: 0.23 us against 3 ns on two processors


def effort_for(rows: CellRows, vectors: NDArray[np.float16], k: int) -> Effort:
    """The cheapest effort with enough recall of the ten nearest other rows, and that recall, measured on a sample.

    Args:
        rows: the cells.
        vectors: ``(n, dimension)``.
        k: nearest rows per row; at least 1.5 times as many candidates are re-ranked.
    """
    in_cells = np.sort(rows.order)
    tests = sample_rows(in_cells, TEST_ROWS, SEED)
    truth = true_nearest(vectors, in_cells, tests)
    ranks = np.concatenate([_ranks(rows, int(own), near[near != own]) for own, near in zip(tests, truth, strict=True)])
    least = k + k // 2
    if not len(ranks):  # there is one row
        return Effort(1, least, 1.0)
    rows_per_cell = len(rows.order) / len(rows.centres)
    choices = [
        (probes * rows_per_cell + count * RERANK_COST, probes, count, float((ranks[:, probes - 1] < count).mean()))
        for count in sorted({max(count, least) for count in RERANK_COUNTS})
        for probes in range(1, ranks.shape[1] + 1)
    ]
    enough = [choice for choice in choices if choice[3] >= CATALOGUE_RECALL]
    _, probes, count, recall = min(enough) if enough else max(choices, key=lambda choice: choice[3])
    return Effort(probes, count, round(recall, 4))


def _ranks(rows: CellRows, own: int, near: NDArray[np.intp]) -> NDArray[np.float64]:
    """The rank by components of each of a row's nearest, from 0, when 1, 2, 3 ... cells are searched.

    ``(nearest, cells)``; infinite as long as it is in none of the cells.
    """
    cell, own_position = rows.locate(own)
    cells = rows.nearest_cells(cell, min(MAX_PROBES, len(rows.centres)))
    positions = rows.positions(cells)
    probe = np.repeat(np.arange(len(cells)), np.diff(rows.starts)[cells])
    scores = rows.components[positions] @ rows.components[own_position]
    ranks = np.full((len(near), len(cells)), np.inf)
    for line, row in zip(ranks, near, strict=True):
        at = np.flatnonzero(rows.order[positions] == row)
        if len(at):
            nearer = np.cumsum(np.bincount(probe[scores > scores[at[0]]], minlength=len(cells)))
            line[probe[at[0]] :] = nearer[probe[at[0]] :]
    return ranks
