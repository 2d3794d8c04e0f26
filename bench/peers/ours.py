"""Ours: cells for large catalogues, every pair once for exact answers, attributes in the index's own columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

import filters
import numpy as np

from image_similarity.index.columns import Columns, ColumnsWriter
from image_similarity.index.filters import And, Equals, In, Not, Or, Range, passing
from image_similarity.neighbours.allpairs.exact import all_pairs as every_pair
from image_similarity.neighbours.cells.index import CellsIndex
from image_similarity.neighbours.cells.pairs import cell_pairs
from peers import Peer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from filters import Condition
    from numpy.typing import NDArray

    from image_similarity.index.filters import Filter

ROWS = 16_384  # whose attributes are written together


class Ours(Peer):
    """:class:`CellsIndex` over the memory-mapped matrix. Effort: cells looked into."""

    settings: ClassVar = "cells, 4-bit codes, float16 re-ranked"
    effort: ClassVar = (1, 4096)
    tuned: ClassVar = True
    filters: ClassVar = True

    def build(self, vectors: NDArray[np.float16], attributes: Mapping[str, NDArray] | None = None) -> None:
        """Make the cells, write them, open them again as a reader does."""
        CellsIndex.build(vectors, self.folder)
        self._index = CellsIndex.open(vectors, self.folder)
        if attributes is not None:
            self._columns = _columns(attributes, self.folder)

    def try_harder(self, effort: int) -> None:
        """More cells; 0 for as many as the index found that it needs."""
        own = self._index.facts.query
        probes = min(effort, self._index.facts.cells)
        self._index.effort = replace(own, probes=probes) if probes else own

    def search(self, queries: NDArray[np.float32], k: int, where: Condition | None = None) -> NDArray[np.int64]:
        """One call."""
        allowed = None if where is None else passing(_filter(where), self._columns, self._columns.rows)
        found = self._index.search(queries, k, allowed).rows
        if found.shape[1] == k:
            return found
        return np.pad(found, ((0, 0), (0, k - found.shape[1])), constant_values=-1)

    search_all = search

    def search_rows(self, vectors: NDArray[np.float16], k: int) -> NDArray[np.int64]:
        """Cell by cell, as a fit of a large catalogue does it."""
        with TemporaryDirectory(dir=self.folder) as folder:
            return np.array(cell_pairs(self._index, k, Path(folder)).nearest.rows)


def all_pairs(vectors: NDArray[np.float16], k: int) -> NDArray[np.integer]:
    """The ``k`` nearest rows of every row."""
    with TemporaryDirectory() as folder:
        return np.array(every_pair(vectors, k, Path(folder) / "work").rows)


def _columns(attributes: Mapping[str, NDArray], folder: Path) -> Columns:
    """What the rows' attributes are in an index: texts, as a catalogue has them."""
    writer, rows = ColumnsWriter(folder), len(next(iter(attributes.values())))
    for start in range(0, rows, ROWS):
        texts = [[_text(value) for value in values[start : start + ROWS].tolist()] for values in attributes.values()]
        writer.write([dict(zip(attributes, row, strict=True)) for row in zip(*texts, strict=True)])
    parts = writer.finish()
    return Columns(np.asarray(np.memmap(folder / "columns.bin", np.uint8, "r")), parts, rows)


def _filter(where: Condition) -> Filter:
    """The condition as `search --filter` understands it."""
    match where:
        case filters.In(name, (value,)):
            return Equals(name, _value(value))
        case filters.In(name, values):
            return In(name, tuple(_value(value) for value in values))
        case filters.Between(name, low, high):
            return Range(name, low, high, high_included=False)
        case filters.All(parts):
            return And(tuple(_filter(part) for part in parts))
        case filters.Either(parts):
            return Or(tuple(_filter(part) for part in parts))
        case filters.Not(part):
            return Not(_filter(part))


def _value(value: filters.Value) -> str | float:
    return _text(value) if isinstance(value, bool) else value


def _text(value: filters.Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
