"""How many cells and how many close looks all pairs of a catalogue need, measured on some of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from image_similarity.neighbours.cells.codes import Effort
from image_similarity.neighbours.cells.training import CATALOGUE_RECALL, CLOSE, SEED, true_nearest
from image_similarity.util.sampling import sample_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.neighbours.cells.rows import CellRows

TEST_ROWS = 512
MOST_CELLS = 128
CLOSE_LOOK = 75  # times as long as a comparison of components, measured: 0.23 us against 3 ns on two processors


def effort_for(rows: CellRows, vectors: NDArray[np.float16], k: int) -> Effort:
    """The least work that finds enough of the ten nearest other rows, and the share of them that it finds.

    Args:
        rows: the cells.
        vectors: ``(n, dimension)``.
        k: rows wanted of each; half as many again are looked at closely at least.
    """
    held = np.sort(rows.order)
    tests = sample_rows(held, TEST_ROWS, SEED)
    truth = true_nearest(vectors, held, tests)
    ahead = np.concatenate([_ahead(rows, int(own), near[near != own]) for own, near in zip(tests, truth, strict=True)])
    least = k + k // 2
    if not len(ahead):  # there is one row
        return Effort(1, least, 1.0)
    row_cells = len(rows.order) / len(rows.centres)
    choices = [
        (probes * row_cells + close * CLOSE_LOOK, probes, close, float((ahead[:, probes - 1] < close).mean()))
        for close in sorted({max(close, least) for close in CLOSE})
        for probes in range(1, ahead.shape[1] + 1)
    ]
    enough = [choice for choice in choices if choice[3] >= CATALOGUE_RECALL]
    _, probes, close, recall = min(enough) if enough else max(choices, key=lambda choice: choice[3])
    return Effort(probes, close, round(recall, 4))


def _ahead(rows: CellRows, own: int, near: NDArray[np.intp]) -> NDArray[np.float64]:
    """For each of a row's nearest, how many rows look nearer than it when 1, 2, 3 ... cells are looked into.

    ``(nearest, cells)``; infinite as long as it is not in one of them.
    """
    cell, place = rows.place_of(own)
    cells = rows.near(cell, min(MOST_CELLS, len(rows.centres)))
    places = rows.places(cells)
    rank = np.repeat(np.arange(len(cells)), np.diff(rows.starts)[cells])
    scores = rows.components[places] @ rows.components[place]
    ahead = np.full((len(near), len(cells)), np.inf)
    for line, row in zip(ahead, near, strict=True):
        at = np.flatnonzero(rows.order[places] == row)
        if len(at):
            nearer = np.cumsum(np.bincount(rank[scores > scores[at[0]]], minlength=len(cells)))
            line[rank[at[0]] :] = nearer[rank[at[0]] :]
    return ahead
