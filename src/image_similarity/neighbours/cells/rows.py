"""The rows in the order of their cells, with their principal components in a file in the same order."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from image_similarity.neighbours.cells.components import projected
from image_similarity.util.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.neighbours.cells.index import CellsIndex

COMPONENTS = "components.npy"
ROWS_AT_ONCE = 16_384


class CellRows:
    """Rows sorted by cell. A row's position is its index in this order.

    Attributes:
        order: ``(rows,)``, all rows that are in cells, cell by cell.
        starts: ``(cells + 1,)``, the position where each cell begins.
        components: ``(rows, m)`` float32, of the rows in that order; a memory map.
        centres: ``(cells, m)`` float32.
    """

    def __init__(
        self,
        order: NDArray[np.intp],
        starts: NDArray[np.intp],
        components: NDArray[np.float32],
        centres: NDArray[np.float32],
    ) -> None:
        self.order, self.starts, self.components, self.centres = order, starts, components, centres

    @classmethod
    def of(cls, index: CellsIndex, folder: Path) -> Self:
        """The rows of an index; the components are computed unless an earlier run left them in the folder.

        Raises:
            OutputError: the folder cannot be written to.
        """
        cells = index.cells()
        order, starts = np.concatenate(cells), np.cumsum([0, *map(len, cells)])
        path = folder / COMPONENTS
        if not path.exists():
            with replacing(path) as temporary:
                shape = (len(order), index.components.shape[1])
                written = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
                for start in range(0, len(order), ROWS_AT_ONCE):
                    some = order[start : start + ROWS_AT_ONCE]
                    written[start : start + len(some)] = projected(index.vectors[some], index.components)
                written.flush()
                del written
        return cls(order, starts, np.asarray(np.load(path, mmap_mode="r")), index.centres())

    def of_cell(self, cell: int) -> NDArray[np.intp]:
        return self.order[self.starts[cell] : self.starts[cell + 1]]

    def locate(self, row: int) -> tuple[int, int]:
        """The cell of a row, and its position."""
        position = int(self._by_row[np.searchsorted(self.order, row, sorter=self._by_row)])
        return int(np.searchsorted(self.starts, position, "right")) - 1, position

    def before(self, cell: int) -> int:
        """How many rows are in the cells before this one."""
        return int(self.starts[cell])

    def blocks(self, done: int, rows: int) -> Iterator[range]:
        """Ranges of cells from cell ``done`` on, each with about ``rows`` rows."""
        while done < len(self.starts) - 1:
            stop = int(np.searchsorted(self.starts, self.starts[done] + rows, "right")) - 1
            stop = min(max(stop, done + 1), len(self.starts) - 1)
            yield range(done, stop)
            done = stop

    def nearest_cells(self, cell: int, cells: int, least: int = 0) -> NDArray[np.intp]:
        """The ``cells`` nearest cells of a cell, nearest first; more where they have fewer than ``least`` rows."""
        scores = self.centres @ self.centres[cell]
        if cells < len(scores):
            best = np.argpartition(scores, len(scores) - cells)[len(scores) - cells :]
            best = best[np.argsort(-scores[best])]
            if np.diff(self.starts)[best].sum() >= least:
                return best
        return np.argsort(-scores)[: max(cells, self._cells_with(scores, least))]

    def candidates(self, cell: int, cells: int, count: int) -> NDArray[np.intp]:
        """For each row of a cell the ``count`` nearest rows in the nearest cells, by their components."""
        import faiss

        positions = self.positions(self.nearest_cells(cell, cells, count))
        queries = np.ascontiguousarray(self.components[self.starts[cell] : self.starts[cell + 1]])
        count = min(count, len(positions))
        _, found = faiss.knn(queries, self.components[positions], count, metric=faiss.METRIC_INNER_PRODUCT)
        rows: NDArray[np.intp] = self.order[positions[found]]
        return rows

    def positions(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """The positions of the rows of some cells."""
        return np.concatenate([np.arange(self.starts[cell], self.starts[cell + 1]) for cell in cells])

    @cached_property
    def _by_row(self) -> NDArray[np.intp]:
        """The positions, sorted by row."""
        return np.argsort(self.order)

    def _cells_with(self, scores: NDArray[np.float32], least: int) -> int:
        """How many of the nearest cells together have at least ``least`` rows."""
        sizes = np.diff(self.starts)[np.argsort(-scores)]
        return int(np.searchsorted(np.cumsum(sizes), least)) + 1
