"""Large catalogues: the space is cut into cells, and a query looks into the cells that it is nearest to.

Two looks: first at the rows of the nearest cells, as 4-bit codes of their principal components (16 to 128 bytes a
row), then at the best of them as they are stored, float16, multiplied in float32. A filter that few rows pass skips the
cells: all its rows are looked at. How many cells and how many close looks it takes is measured on the catalogue's own
rows when the cells are made.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from image_similarity.files import replacing
from image_similarity.neighbours.close import all_of, closest, closest_in_turn
from image_similarity.neighbours.codes import CellCodes
from image_similarity.neighbours.halves import single
from image_similarity.neighbours.keys import neighbours_of
from image_similarity.neighbours.rowset import Masked, row_set
from image_similarity.processors import processors
from image_similarity.types import no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from image_similarity.neighbours.codes import Effort
    from image_similarity.types import Neighbours, Progress, RowSet

SLOTS = "slots.npy"
QUERY_BLOCK = 1024  # queries looked up together
CLOSE_BLOCK = 64  # queries that one thread looks at closely
VERY_FEW = 400  # allowed rows: sooner looked at closely than by their codes first, measured
FEW = 2000  # allowed rows: sooner looked at one by one than the nearest cells are found
BYTES_OR_CODES = 10  # times as long to look at a row's bytes as at its code, measured
DEEPER = 1.0  # of a filter: one row in four allowed, four times as many cells; less lost recall where it is lopsided
GROWN, GONE = 1.5, 0.2  # rows for each one the cells were made for, and of those the share that has gone: made afresh
GROWTH = 4  # times as many cells, where too few allowed rows were found in those looked at


class CellsIndex:
    """A :class:`~image_similarity.types.NeighbourIndex` that is approximate, and says how far.

    Made with :meth:`build`, :meth:`update` or :meth:`open`. Rows may be renumbered, and rows may go, without a change
    to the codes: ``slots`` is the row that each coded row has now, -1 where it has gone.
    """

    def __init__(self, vectors: NDArray[np.float16], codes: CellCodes, slots: NDArray[np.int32]) -> None:
        self.vectors, self._codes, self._slots = np.asarray(vectors), codes, slots
        self._moved = len(slots) != len(vectors) or not np.array_equal(slots, np.arange(len(slots), dtype=np.int32))
        self.facts = codes.facts
        self.effort = codes.facts.query

    @classmethod
    def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress = no_progress) -> Self:
        """Make the cells of a matrix ``(n, dimension)`` and write their files into a folder.

        Raises:
            OutputError: the files cannot be written.
        """
        from image_similarity.neighbours.training import trained_codes

        return cls(vectors, trained_codes(vectors, progress), np.arange(len(vectors), dtype=np.int32))._write(folder)

    @classmethod
    def open(cls, vectors: NDArray[np.float16], folder: Path) -> Self:
        """The cells of a folder; ``vectors`` is the matrix that they were made of or updated to."""
        return cls(vectors, CellCodes.read(folder), np.load(folder / SLOTS))

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
        codes, former = CellCodes.read(old), np.load(old / SLOTS)
        slots = np.where(former >= 0, rows[former], -1).astype(np.int32)
        is_new = np.ones(len(vectors), bool)
        is_new[slots[slots >= 0]] = False
        added = np.flatnonzero(is_new).astype(np.int32)
        if len(slots) + len(added) > GROWN * codes.facts.rows or (slots < 0).sum() > GONE * len(slots):
            return cls.build(vectors, folder, progress)
        codes.add(vectors, added, progress)
        return cls(vectors, codes, np.concatenate([slots, added]))._write(folder)

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        """As :meth:`ExactIndex.search`, but a row that is among the nearest may be missing, another in its place."""
        rows = None if allowed is None else row_set(allowed)
        count = len(self.vectors) if rows is None else rows.count
        k = min(k, count)
        few = self._are_few(count, k)
        keys = np.empty((len(queries), k), np.int64)
        for start in range(0, len(queries) if k else 0, QUERY_BLOCK):
            asked = single(queries[start : start + QUERY_BLOCK])
            found = self._of_few(asked, k, rows) if few else self._of_cells(asked, k, rows)
            keys[start : start + QUERY_BLOCK] = found
        return neighbours_of(keys)

    def _of_cells(self, queries: NDArray[np.float32], k: int, rows: RowSet | None) -> NDArray[np.int64]:
        """The keys of the ``k`` rows found for each query in the nearest cells."""
        count = len(self.vectors) if rows is None else rows.count
        alive = self._alive(rows) if rows is not None else self._slots >= 0 if self._moved else None
        slots = self._nearest(queries, min(self._close(k), count), self._probes(count), alive)
        short = (slots >= 0).sum(axis=1) < k  # a query that is like nothing is near no cell
        if not short.any():
            return self._closest(queries, slots, k)
        keys = np.empty((len(queries), k), np.int64)
        if not short.all():
            keys[~short] = self._closest(queries[~short], slots[~short], k)
        numbers = np.arange(len(self.vectors)) if rows is None else rows.numbers()
        keys[short] = all_of(self.vectors, queries[short], numbers, k)
        return keys

    def _of_few(self, queries: NDArray[np.float32], k: int, rows: RowSet | None) -> NDArray[np.int64]:
        """The same without cells: all rows that are allowed are looked at."""
        rows = Masked(np.ones(len(self.vectors), bool)) if rows is None else rows
        if rows.count <= VERY_FEW:
            return all_of(self.vectors, queries, rows.numbers(), k)
        slots = self._slot_of.take(rows.numbers()) if self._moved else rows.numbers()
        keys = np.empty((len(queries), k), np.int64)
        for line, query in zip(keys, queries, strict=True):
            found, looks = self._codes.among(query, self._close(k), slots)
            line[:] = closest_in_turn(self.vectors, query, (self._slots[found] if self._moved else found, looks), k)
        return keys

    def _are_few(self, count: int, k: int) -> bool:
        """Whether so many rows are sooner looked at one by one."""
        looked = self._probes(count) * len(self.vectors) / self.facts.cells
        return count <= max(FEW, 4 * k, looked / BYTES_OR_CODES)

    def _alive(self, rows: RowSet) -> NDArray[np.bool_]:
        """The same as a mask."""
        if not self._moved:
            return rows.mask()
        alive = np.zeros(len(self._slots), bool)
        alive[self._slot_of] = rows.mask()
        return alive

    @cached_property
    def _slot_of(self) -> NDArray[np.intp]:
        """The slot of each row."""
        slots = np.flatnonzero(self._slots >= 0)
        slot_of = np.empty(len(self.vectors), np.intp)
        slot_of[self._slots[slots]] = slots
        return slot_of

    def _probes(self, count: int) -> int:
        """How many cells to look into for so many rows: the nearest that are allowed lie further away."""
        return min(self.facts.cells, int(self.effort.probes * (len(self.vectors) / max(1, count)) ** DEEPER))

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
        """The rows of each cell."""
        rows = (self._slots[slots] for slots in self._codes.cells())
        return [cell[cell >= 0].astype(np.intp) for cell in rows]

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
        """The keys of the ``k`` best of each line of slots, by the float32 scores of the rows as they are stored."""
        rows = self._slots[slots] if self._moved else slots
        if len(queries) <= CLOSE_BLOCK:
            return closest(self.vectors, queries, rows, k)
        from concurrent.futures import ThreadPoolExecutor

        parts = np.array_split(np.arange(len(queries)), len(queries) // CLOSE_BLOCK)
        with ThreadPoolExecutor(processors()) as pool:
            return np.concatenate(
                list(pool.map(lambda part: closest(self.vectors, queries[part], rows[part], k), parts))
            )

    def _write(self, folder: Path) -> Self:
        self._codes.write(folder)
        with replacing(folder / SLOTS) as path, path.open("wb") as file:
            np.save(file, self._slots)
        return self
