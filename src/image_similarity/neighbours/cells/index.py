"""Large catalogues: the space is cut into cells, and a query looks into the cells that it is nearest to.

Two looks: first at the rows of the nearest cells, as 4-bit codes of their principal components (16 to 128 bytes a
row), then at the best of them as they are stored, float16, multiplied in float32. A filter that few rows pass skips the
cells: all its rows are looked at. How many cells and how many close looks it takes is measured on the catalogue's own
rows when the cells are made.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from image_similarity.neighbours.cells.codes import CellCodes
from image_similarity.neighbours.duplicates import Duplicates
from image_similarity.neighbours.float16 import to_float32
from image_similarity.neighbours.packed_scores import neighbours_of
from image_similarity.neighbours.rerank import rerank, rerank_query, rerank_shared
from image_similarity.neighbours.row_sets import Listed, Masked, row_set
from image_similarity.types import Neighbours, no_progress
from image_similarity.util.files import replacing
from image_similarity.util.processors import processors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.neighbours.cells.codes import Effort
    from image_similarity.types import Progress, RowSet

SLOT_OF = "slots.npy"
QUERY_BLOCK = 1024  # queries looked up together
CLOSE_BLOCK = 64  # queries that one thread looks at closely
VERY_FEW = 400  # allowed rows: sooner looked at closely than by their codes first, measured
BYTES_OR_CODES = 10  # times as long to look at a row's bytes as at its code, measured
DEEPER = 1.0  # of a filter: one row in four allowed, four times as many cells; less lost recall where it is lopsided
GROWN, GONE = 1.5, 0.2  # rows for each one the cells were made for, and of those the share that has gone: made afresh
GROWTH = 4  # times as many cells, where too few allowed rows were found in those looked at


class CellsIndex:
    """A :class:`~image_similarity.types.NeighbourIndex` that is approximate, and says how far.

    Made with :meth:`build`, :meth:`update` or :meth:`open`. Rows may be renumbered, and rows may go, without a change
    to the codes: ``slot_of`` is the slot that each row has among them. Where many rows have one vector it is coded
    once, and they have its slot together.
    """

    few: ClassVar = 2000  # allowed rows: sooner looked at one by one than the nearest cells are found

    def __init__(self, vectors: NDArray[np.float16], codes: CellCodes, slot_of: NDArray[np.int32]) -> None:
        self.vectors, self._codes, self._slot_of = np.asarray(vectors), codes, slot_of
        self._row_of = _first_rows(slot_of, codes.slots)
        self.different = int(np.count_nonzero(self._row_of >= 0))
        rows = len(slot_of)
        self._moved = codes.slots != rows or not np.array_equal(slot_of, np.arange(rows, dtype=np.int32))
        self.facts = codes.facts
        self.effort = codes.facts.query

    @classmethod
    def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress = no_progress) -> Self:
        """Make the cells of a matrix ``(n, dimension)`` and write their files into a folder.

        Raises:
            OutputError: the files cannot be written.
        """
        from image_similarity.neighbours.cells.training import trained_codes

        coded, slot_of = _to_code(vectors, np.arange(len(vectors)))
        return cls(vectors, trained_codes(vectors, coded, progress), slot_of)._write(folder)

    @classmethod
    def open(cls, vectors: NDArray[np.float16], folder: Path) -> Self:
        """The cells of a folder; ``vectors`` is the matrix that they were made of or updated to."""
        return cls(vectors, CellCodes.read(folder), np.load(folder / SLOT_OF))

    @classmethod
    def update(
        cls,
        old: Path,
        folder: Path,
        vectors: NDArray[np.float16],
        rows: NDArray[np.int64],
        progress: Progress = no_progress,
    ) -> Self:
        """The cells of a matrix that differs little from the one that ``old`` was made for.

        Args:
            old: the folder of the former cells.
            folder: where the new ones are written.
            vectors: ``(n, dimension)``, the matrix as it is now.
            rows: the row that each row of the former matrix has now, -1 where it has gone.
            progress: told how far it is.
        """
        codes, former = CellCodes.read(old), np.load(old / SLOT_OF)
        slot_of, slots = np.full(len(vectors), -1, np.int32), codes.slots
        slot_of[rows[rows >= 0]] = former[rows >= 0]
        gone = np.count_nonzero(_first_rows(slot_of, slots) < 0)
        added = np.flatnonzero(slot_of < 0)
        coded, slot_of_added = _to_code(vectors, added)
        if slots + len(coded) > GROWN * codes.facts.rows or gone > GONE * slots:
            return cls.build(vectors, folder, progress)
        codes.add(vectors, coded, progress)
        slot_of[added] = slots + slot_of_added
        return cls(vectors, codes, slot_of)._write(folder)

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """As :meth:`ExactIndex.search`, but a row that is among the nearest may be missing, another in its place."""
        rows = None if allowed is None else row_set(allowed)
        k = min(k, len(self.vectors) if rows is None else rows.count)
        slots = self._all if rows is None else self._slots(rows, k)
        count = self.different if slots is None else slots.count
        wanted = min(k, count)
        few = self._are_few(count, wanted)
        packed = np.empty((len(queries), wanted), np.int64)
        for start in range(0, len(queries) if k else 0, QUERY_BLOCK):
            asked = to_float32(queries[start : start + QUERY_BLOCK])
            found = self._of_few(asked, wanted, slots) if few else self._of_cells(asked, wanted, slots)
            packed[start : start + QUERY_BLOCK] = found
        nearest = neighbours_of(packed)
        if self.twins is None or not k:
            return nearest
        return self.twins.nearest_rows(Neighbours(self.slots_of(nearest.rows), nearest.scores), k, rows)

    @cached_property
    def twins(self) -> Duplicates | None:
        """Which rows have which slot; None where each has its own."""
        return Duplicates.from_numbers(self._slot_of, self._codes.slots) if self.different < len(self.vectors) else None

    def _of_cells(self, queries: NDArray[np.float32], k: int, slots: RowSet | None) -> NDArray[np.int64]:
        """The packed scores of the ``k`` rows found for each query in the nearest cells."""
        count = self.different if slots is None else slots.count
        alive = None if slots is None else slots.mask()
        near = self._nearest(queries, min(self._close(k), count), self._probes(count), alive)
        short = (near >= 0).sum(axis=1) < k  # a query that is like nothing is near no cell
        if not short.any():
            return self._closest(queries, near, k)
        packed = np.empty((len(queries), k), np.int64)
        if not short.all():
            packed[~short] = self._closest(queries[~short], near[~short], k)
        packed[short] = rerank_shared(self.vectors, queries[short], self._rows(self._numbers(slots)), k)
        return packed

    def _of_few(self, queries: NDArray[np.float32], k: int, slots: RowSet | None) -> NDArray[np.int64]:
        """The same without cells: all slots that are allowed are looked at."""
        numbers = self._numbers(slots)
        if len(numbers) <= VERY_FEW:
            return rerank_shared(self.vectors, queries, self._rows(numbers), k)
        packed = np.empty((len(queries), k), np.int64)
        for line, query in zip(packed, queries, strict=True):
            found, looks = self._codes.among(query, self._close(k), numbers)
            line[:] = rerank_query(self.vectors, query, (self._rows(found), looks), k)
        return packed

    def _are_few(self, count: int, k: int) -> bool:
        """Whether so many are sooner looked at one by one."""
        looked = self._probes(count) * self.different / self.facts.cells
        return count <= max(self.few, 4 * k, looked / BYTES_OR_CODES)

    @cached_property
    def _all(self) -> RowSet | None:
        """The slots that have rows; None where all have."""
        return None if self.different == self._codes.slots else Masked(self._row_of >= 0)

    def _slots(self, rows: RowSet, k: int) -> RowSet:
        """The slots of some rows, as a set."""
        if not self._moved:
            return rows
        if self._are_few(rows.count, k):
            slots = self.slots_of(rows.numbers())
            return Listed(slots if self.twins is None else np.unique(slots), self._codes.slots)
        alive = np.zeros(self._codes.slots, bool)
        alive[self._slot_of[rows.mask()]] = True
        return Masked(alive)

    def _numbers(self, slots: RowSet | None) -> NDArray[np.intp]:
        """A set of slots as their numbers."""
        return np.arange(self._codes.slots) if slots is None else slots.numbers()

    def _rows(self, slots: NDArray[np.intp]) -> NDArray[np.intp]:
        """The first row of each of some slots; -1 of -1."""
        return np.where(slots < 0, -1, self._row_of[slots]) if self._moved else slots

    def _probes(self, count: int) -> int:
        """How many cells to look into for so many slots: the nearest that are allowed lie further away."""
        return min(self.facts.cells, int(self.effort.probes * (self.different / max(1, count)) ** DEEPER))

    def with_effort(self, effort: Effort) -> CellsIndex:
        """The same cells, looked into as far as this."""
        other = copy(self)
        other.effort = effort
        return other

    @property
    def components(self) -> NDArray[np.float32]:
        """The principal components that cells are made of, as columns ``(dimension, m)``."""
        return self._codes.components

    def cells(self) -> list[NDArray[np.intp]]:
        """The rows of each cell; of those with one slot the first."""
        rows = (self._row_of[slots] for slots in self._codes.cells())
        return [cell[cell >= 0].astype(np.intp) for cell in rows]

    def slots_of(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The slot of each of some rows."""
        return self._slot_of[rows].astype(np.intp)

    def centres(self) -> NDArray[np.float32]:
        """The centre of each cell, by its components ``(cells, m)``."""
        return self._codes.centres()

    def _close(self, k: int) -> int:
        """How many rows to look at closely."""
        return max(self.effort.close, k + k // 2)

    def _nearest(
        self, queries: NDArray[np.float32], close: int, probes: int, alive: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """The slots that look nearest by their codes. Looks further until there are enough to choose from."""
        slots = self._codes.nearest(queries, close, probes, alive)
        while probes < self.facts.cells and (missing := (slots < 0).any(axis=1)).any():
            probes = min(self.facts.cells, probes * GROWTH)
            slots[missing] = self._codes.nearest(queries[missing], close, probes, alive)
        return slots

    def _closest(self, queries: NDArray[np.float32], slots: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The packed scores of the ``k`` best of each line of slots, by the rows as they are stored, in float32."""
        rows = self._rows(slots)
        if len(queries) <= CLOSE_BLOCK:
            return rerank(self.vectors, queries, rows, k)
        from concurrent.futures import ThreadPoolExecutor

        parts = np.array_split(np.arange(len(queries)), len(queries) // CLOSE_BLOCK)
        with ThreadPoolExecutor(processors()) as pool:
            return np.concatenate(
                list(pool.map(lambda part: rerank(self.vectors, queries[part], rows[part], k), parts))
            )

    def _write(self, folder: Path) -> Self:
        self._codes.write(folder)
        with replacing(folder / SLOT_OF) as path, path.open("wb") as file:
            np.save(file, self._slot_of)
        return self


def _to_code(vectors: NDArray[np.float16], rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Which of some rows to code, and for each row which of these has its vector."""
    twins = Duplicates.find(vectors, rows)
    if twins.are_many:
        return rows[twins.first_rows], twins.vector_of.astype(np.int32)
    return rows, np.arange(len(rows), dtype=np.int32)


def _first_rows(slot_of: NDArray[np.int32], slots: int) -> NDArray[np.int32]:
    """The first row of each slot, -1 where it has none; a row's slot may be -1, too."""
    rows = np.flatnonzero(slot_of >= 0).astype(np.int32)[::-1]  # of those with one slot the last one stays
    row_of = np.full(slots, -1, np.int32)
    row_of[slot_of[rows]] = rows
    return row_of
