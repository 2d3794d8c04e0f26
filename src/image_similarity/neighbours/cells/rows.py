"""The rows of cells in the order of the cells, with their principal components side by side in a file."""

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
    """What cells hold.

    Attributes:
        order: ``(rows,)``, all rows that are in cells, cell by cell.
        starts: ``(cells + 1,)``, where each cell begins in ``order``.
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
        """Those of an index; the components are computed unless an earlier run left them in the folder.

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

    def place_of(self, row: int) -> tuple[int, int]:
        """The cell of a row, and its place in ``order``."""
        place = int(self._places[np.searchsorted(self.order, row, sorter=self._places)])
        return int(np.searchsorted(self.starts, place, "right")) - 1, place

    def before(self, cell: int) -> int:
        """How many rows the cells before one have."""
        return int(self.starts[cell])

    def blocks(self, done: int, rows: int) -> Iterator[range]:
        """Runs of cells from cell ``done`` on, each of about so many rows."""
        while done < len(self.starts) - 1:
            stop = int(np.searchsorted(self.starts, self.starts[done] + rows, "right")) - 1
            stop = min(max(stop, done + 1), len(self.starts) - 1)
            yield range(done, stop)
            done = stop

    def near(self, cell: int, cells: int, least: int = 0) -> NDArray[np.intp]:
        """The ``cells`` nearest cells of one, nearest first; more where they have fewer than ``least`` rows."""
        scores = self.centres @ self.centres[cell]
        if cells < len(scores):
            best = np.argpartition(scores, len(scores) - cells)[len(scores) - cells :]
            best = best[np.argsort(-scores[best])]
            if np.diff(self.starts)[best].sum() >= least:
                return best
        return np.argsort(-scores)[: max(cells, self._enough(scores, least))]

    def candidates(self, cell: int, cells: int, close: int) -> NDArray[np.intp]:
        """For each row of a cell the ``close`` rows in the nearest cells that look nearest, by their components."""
        import faiss

        places = self.places(self.near(cell, cells, close))
        asked = np.ascontiguousarray(self.components[self.starts[cell] : self.starts[cell + 1]])
        close = min(close, len(places))
        _, found = faiss.knn(asked, self.components[places], close, metric=faiss.METRIC_INNER_PRODUCT)
        rows: NDArray[np.intp] = self.order[places[found]]
        return rows

    def places(self, cells: NDArray[np.intp]) -> NDArray[np.intp]:
        """Where in ``order`` the rows of some cells stand."""
        return np.concatenate([np.arange(self.starts[cell], self.starts[cell + 1]) for cell in cells])

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """The places of the rows, in the order of the rows."""
        return np.argsort(self.order)

    def _enough(self, scores: NDArray[np.float32], least: int) -> int:
        """How many of the nearest cells have so many rows together."""
        sizes = np.diff(self.starts)[np.argsort(-scores)]
        return int(np.searchsorted(np.cumsum(sizes), least)) + 1
