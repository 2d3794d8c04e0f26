"""Approximate search: vectors are clustered into cells, and a query searches the cells nearest to it.

First the rows of the nearest cells are compared by 4-bit codes of their principal components (16 to 128 bytes a row),
then the best of them are re-ranked by the stored float16 vectors in float32. A filter that few rows pass skips the
cells: all its rows are scanned. How many cells to search and how many rows to re-rank is measured on the catalogue's
own rows when the cells are trained.
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
QUERY_BLOCK = 1024  # queries searched together
RERANK_BLOCK = 64  # queries that one thread re-ranks together
RERANK_ALL_UP_TO = 400  # allowed rows: re-ranking all of them is faster than comparing their bytes first, measured
BYTES_COST = 10  # times that of a code, for comparing a row's bytes, measured
FILTER_EXPONENT = (
    1.0  # one row in four allowed: four times as many cells; a smaller exponent lost recall with skewed filters
)
MAX_GROWTH, MAX_REMOVED = (
    1.5,
    0.2,
)  # slots / rows when trained, and the share of removed slots, above which cells are rebuilt
PROBE_GROWTH = 4  # times as many cells, where too few allowed rows were found in those searched


class CellsIndex:
    """An approximate :class:`~image_similarity.types.NeighbourIndex`; ``effort.recall`` is its measured recall.

    Created by :meth:`build`, :meth:`update` or :meth:`open`. Rows may be renumbered or removed without a change to the
    codes: ``slot_of`` is each row's slot among the codes. Where many rows have the same vector, it is encoded once, and
    they share its slot.
    """

    scan_up_to: ClassVar = 2000  # allowed rows: scanning all of them is faster than finding the nearest cells

    def __init__(self, vectors: NDArray[np.float16], codes: CellCodes, slot_of: NDArray[np.int32]) -> None:
        self.vectors, self._codes, self._slot_of = np.asarray(vectors), codes, slot_of
        self._row_of = _first_rows(slot_of, codes.slots)
        self.distinct = int(np.count_nonzero(self._row_of >= 0))
        rows = len(slot_of)
        self._renumbered = codes.slots != rows or not np.array_equal(slot_of, np.arange(rows, dtype=np.int32))
        self.facts = codes.facts
        self.effort = codes.facts.query

    @classmethod
    def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress = no_progress) -> Self:
        """Train the cells of a matrix ``(n, dimension)`` and write their files into a folder.

        Raises:
            OutputError: the files cannot be written.
        """
        from image_similarity.neighbours.cells.training import trained_codes

        encoded, slot_of = _rows_to_encode(vectors, np.arange(len(vectors)))
        return cls(vectors, trained_codes(vectors, encoded, progress), slot_of)._write(folder)

    @classmethod
    def open(cls, vectors: NDArray[np.float16], folder: Path) -> Self:
        """Open the cells of a folder; ``vectors`` is the matrix that they were built from or updated to."""
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
        """Update cells to a changed matrix; builds new ones where it has changed much.

        Args:
            old: the folder of the old cells.
            folder: the folder to write to.
            vectors: ``(n, dimension)``, the new matrix.
            rows: the new row of each old row, -1 where it was removed.
            progress: receives the number of rows encoded.
        """
        codes, former = CellCodes.read(old), np.load(old / SLOT_OF)
        slot_of, slots = np.full(len(vectors), -1, np.int32), codes.slots
        slot_of[rows[rows >= 0]] = former[rows >= 0]
        removed = np.count_nonzero(_first_rows(slot_of, slots) < 0)
        added = np.flatnonzero(slot_of < 0)
        encoded, slot_of_added = _rows_to_encode(vectors, added)
        if slots + len(encoded) > MAX_GROWTH * codes.facts.rows or removed > MAX_REMOVED * slots:
            return cls.build(vectors, folder, progress)
        codes.add(vectors, encoded, progress)
        slot_of[added] = slots + slot_of_added
        return cls(vectors, codes, slot_of)._write(folder)

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """As :meth:`ExactIndex.search`, but some of the nearest rows may be missing, with others in their places."""
        rows = None if allowed is None else row_set(allowed)
        k = min(k, len(self.vectors) if rows is None else rows.count)
        slots = self._used_slots if rows is None else self._slots(rows, k)
        count = self.distinct if slots is None else slots.count
        number = min(k, count)
        scan = self._scans(count, number)
        packed = np.empty((len(queries), number), np.int64)
        for start in range(0, len(queries) if k else 0, QUERY_BLOCK):
            block = to_float32(queries[start : start + QUERY_BLOCK])
            found = self._scan(block, number, slots) if scan else self._search_cells(block, number, slots)
            packed[start : start + QUERY_BLOCK] = found
        nearest = neighbours_of(packed)
        if self.duplicates is None or not k:
            return nearest
        return self.duplicates.nearest_rows(Neighbours(self.slots_of(nearest.rows), nearest.scores), k, rows)

    @cached_property
    def duplicates(self) -> Duplicates | None:
        """Which rows share a slot; None where each has its own."""
        return Duplicates.from_numbers(self._slot_of, self._codes.slots) if self.distinct < len(self.vectors) else None

    def _search_cells(self, queries: NDArray[np.float32], k: int, slots: RowSet | None) -> NDArray[np.int64]:
        """The packed scores of the ``k`` nearest rows of each query, found in the nearest cells."""
        count = self.distinct if slots is None else slots.count
        allowed = None if slots is None else slots.mask()
        near = self._nearest(queries, min(self._candidates(k), count), self._probes(count), allowed)
        short = (near >= 0).sum(axis=1) < k  # a query of zeros has no nearest cells
        if not short.any():
            return self._rerank(queries, near, k)
        packed = np.empty((len(queries), k), np.int64)
        if not short.all():
            packed[~short] = self._rerank(queries[~short], near[~short], k)
        packed[short] = rerank_shared(self.vectors, queries[short], self._rows(self._numbers(slots)), k)
        return packed

    def _scan(self, queries: NDArray[np.float32], k: int, slots: RowSet | None) -> NDArray[np.int64]:
        """As :meth:`_search_cells`, but compares all allowed slots, without cells."""
        numbers = self._numbers(slots)
        if len(numbers) <= RERANK_ALL_UP_TO:
            return rerank_shared(self.vectors, queries, self._rows(numbers), k)
        packed = np.empty((len(queries), k), np.int64)
        for line, query in zip(packed, queries, strict=True):
            found, scores = self._codes.scan(query, self._candidates(k), numbers)
            line[:] = rerank_query(self.vectors, query, (self._rows(found), scores), k)
        return packed

    def _scans(self, count: int, k: int) -> bool:
        """Whether scanning so many slots is faster than searching cells."""
        in_cells = self._probes(count) * self.distinct / self.facts.cells
        return count <= max(self.scan_up_to, 4 * k, in_cells / BYTES_COST)

    @cached_property
    def _used_slots(self) -> RowSet | None:
        """The slots that have rows; None where all have."""
        return None if self.distinct == self._codes.slots else Masked(self._row_of >= 0)

    def _slots(self, rows: RowSet, k: int) -> RowSet:
        """The slots of some rows, as a set."""
        if not self._renumbered:
            return rows
        if self._scans(rows.count, k):
            slots = self.slots_of(rows.numbers())
            return Listed(slots if self.duplicates is None else np.unique(slots), self._codes.slots)
        mask = np.zeros(self._codes.slots, bool)
        mask[self._slot_of[rows.mask()]] = True
        return Masked(mask)

    def _numbers(self, slots: RowSet | None) -> NDArray[np.intp]:
        """The numbers of a set of slots; None: of all."""
        return np.arange(self._codes.slots) if slots is None else slots.numbers()

    def _rows(self, slots: NDArray[np.intp]) -> NDArray[np.intp]:
        """The first row of each of some slots; -1 for -1."""
        return np.where(slots < 0, -1, self._row_of[slots]) if self._renumbered else slots

    def _probes(self, count: int) -> int:
        """How many cells to search with so many allowed slots: the fewer they are, the farther the nearest are."""
        return min(self.facts.cells, int(self.effort.probes * (self.distinct / max(1, count)) ** FILTER_EXPONENT))

    def with_effort(self, effort: Effort) -> CellsIndex:
        """The same cells, searched with another effort."""
        other = copy(self)
        other.effort = effort
        return other

    @property
    def components(self) -> NDArray[np.float32]:
        """The principal components of the codes, as columns ``(dimension, m)``."""
        return self._codes.components

    def cells(self) -> list[NDArray[np.intp]]:
        """The rows of each cell; of rows with the same slot only the first."""
        rows = (self._row_of[slots] for slots in self._codes.cells())
        return [cell[cell >= 0].astype(np.intp) for cell in rows]

    def slots_of(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The slot of each of some rows."""
        return self._slot_of[rows].astype(np.intp)

    def centres(self) -> NDArray[np.float32]:
        """The centres of the cells, as components ``(cells, m)``."""
        return self._codes.centres()

    def _candidates(self, k: int) -> int:
        """How many rows to re-rank."""
        return max(self.effort.rerank, k + k // 2)

    def _nearest(
        self, queries: NDArray[np.float32], count: int, probes: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """The ``count`` nearest slots by their codes. Searches more cells until there are enough."""
        slots = self._codes.nearest(queries, count, probes, allowed)
        while probes < self.facts.cells and (missing := (slots < 0).any(axis=1)).any():
            probes = min(self.facts.cells, probes * PROBE_GROWTH)
            slots[missing] = self._codes.nearest(queries[missing], count, probes, allowed)
        return slots

    def _rerank(self, queries: NDArray[np.float32], slots: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """The packed scores of the ``k`` best of each query's slots, by the stored vectors in float32."""
        rows = self._rows(slots)
        if len(queries) <= RERANK_BLOCK:
            return rerank(self.vectors, queries, rows, k)
        from concurrent.futures import ThreadPoolExecutor

        parts = np.array_split(np.arange(len(queries)), len(queries) // RERANK_BLOCK)
        with ThreadPoolExecutor(processors()) as pool:
            return np.concatenate(
                list(pool.map(lambda part: rerank(self.vectors, queries[part], rows[part], k), parts))
            )

    def _write(self, folder: Path) -> Self:
        self._codes.write(folder)
        with replacing(folder / SLOT_OF) as path, path.open("wb") as file:
            np.save(file, self._slot_of)
        return self


def _rows_to_encode(vectors: NDArray[np.float16], rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Which of some rows to encode, and for each row the number of the encoded one with its vector."""
    duplicates = Duplicates.find(vectors, rows)
    if duplicates.are_many:
        return rows[duplicates.first_rows], duplicates.vector_of.astype(np.int32)
    return rows, np.arange(len(rows), dtype=np.int32)


def _first_rows(slot_of: NDArray[np.int32], slots: int) -> NDArray[np.int32]:
    """The first row of each slot, -1 where it has none; rows with slot -1 are skipped."""
    rows = np.flatnonzero(slot_of >= 0).astype(np.int32)[::-1]  # reversed: of equal slots the last assignment stays
    row_of = np.full(slots, -1, np.int32)
    row_of[slot_of[rows]] = rows
    return row_of
