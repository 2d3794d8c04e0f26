"""Train cells: components, centres, codes, and the search effort needed, measured on the catalogue's own rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.neighbours.cells.codes import CellCodes, CellsFacts, Effort
from image_similarity.neighbours.cells.components import principal_components, projected
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.neighbours.float16 import to_float32
from image_similarity.neighbours.row_sets import Listed
from image_similarity.util.sampling import sample_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from image_similarity.types import Progress

SEED = 20_26
CELLS_PER_ROOT = 4  # cells / square root of the rows
ROWS_PER_CENTRE = 32  # rows of the sample for k-means, per centre
ROUNDS = 8  # of k-means
CODE_BITS = 4  # that FAISS' fast scan takes
CODE_ROWS = 65_536  # rows that the codes are trained on
LEAST_ROWS = 1024  # that FAISS trains codes on without a warning; fewer are repeated
COMPONENT_ROWS = 50_000
TEST_ROWS, TEST_NEAREST = 256, 10
RERANK_COUNTS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
QUERY_RECALL, CATALOGUE_RECALL = 0.995, 0.96  # targets on the test rows; photos from outside are a little harder
SLACK = 0.002  # recall above the target that all cells together must reach, so that fewer cells can reach the target


def trained_codes(vectors: NDArray[np.float16], rows: NDArray[np.intp], progress: Progress) -> CellCodes:
    """Train cells on some rows of a matrix ``(n, dimension)`` and encode them; slot ``i`` is ``rows[i]``."""
    count = len(rows)
    cells = max(1, min(int(CELLS_PER_ROOT * count**0.5), count // ROWS_PER_CENTRE))
    components = principal_components(vectors[sample_rows(rows, COMPONENT_ROWS, SEED)])
    untested = Effort(cells, RERANK_COUNTS[-1], 0.0)
    facts = CellsFacts(count, cells, untested, untested)
    sample = projected(vectors[sample_rows(rows, cells * ROWS_PER_CENTRE, SEED)], components)
    codes = CellCodes(_empty(sample, cells), components, np.empty((0, components.shape[1]), np.int8), facts)
    codes.add(vectors, rows, progress)
    query, catalogue = _efforts(vectors, rows, codes)
    codes.facts = CellsFacts(count, cells, query, catalogue)
    return codes


def true_nearest(vectors: NDArray[np.float16], rows: NDArray[np.intp], tests: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each test row the eleven nearest of some rows, by exact search: itself and ten others."""
    index = ExactIndex(vectors)
    among = None if len(rows) == len(vectors) else Listed(rows, len(vectors))
    return index.search(vectors[tests], TEST_NEAREST + 1, among).rows


def _empty(sample: NDArray[np.float32], cells: int) -> Any:
    """A trained FAISS index without rows."""
    import faiss

    dimension = sample.shape[1]
    sample = np.resize(sample, (max(len(sample), LEAST_ROWS), dimension))
    rows_per_centre = {"min_points_per_centroid": 1, "max_points_per_centroid": ROWS_PER_CENTRE}
    means = faiss.Kmeans(dimension, cells, niter=ROUNDS, seed=SEED, spherical=True, **rows_per_centre)
    means.train(sample)
    centres = faiss.IndexFlatIP(dimension)
    centres.add(means.centroids)
    codes = faiss.IndexIVFPQFastScan(centres, dimension, cells, dimension, CODE_BITS, faiss.METRIC_INNER_PRODUCT)
    codes.own_fields = True
    centres.this.disown()
    codes.by_residual = True
    codes.train(sample[:CODE_ROWS])
    return codes


def _efforts(vectors: NDArray[np.float16], rows: NDArray[np.intp], codes: CellCodes) -> tuple[Effort, Effort]:
    """The efforts for single queries and for the whole catalogue that reach their recall on some test rows."""
    tests = sample_rows(rows, TEST_ROWS, SEED)
    truth = true_nearest(vectors, rows, tests)
    queries = to_float32(vectors[tests])

    def recall(probes: int, count: int) -> float:
        slots = codes.nearest(queries, count, probes)
        found = np.where(slots < 0, -1, rows[slots])
        right = [np.isin(near[near != own], line) for near, line, own in zip(truth, found, tests, strict=True)]
        others = np.concatenate(right)
        return float(others.mean()) if len(others) else 1.0

    def effort(target: float) -> Effort:
        cells = codes.facts.cells
        enough = (count for count in RERANK_COUNTS if recall(cells, count) >= target + SLACK)
        return _least_effort(recall, cells, next(enough, RERANK_COUNTS[-1]), target)

    return effort(QUERY_RECALL), effort(CATALOGUE_RECALL)


def _least_effort(recall: Callable[[int, int], float], cells: int, count: int, target: float) -> Effort:
    """The smallest number of cells that reaches the target recall, by bisection; all of them where none does."""
    low, high = 1, cells
    while low < high:
        middle = (low + high) // 2
        if recall(middle, count) >= target:
            high = middle
        else:
            low = middle + 1
    return Effort(high, count, round(recall(high, count), 4))
