"""Choose an index by the number of rows: exact up to a limit, approximate above it.

There are two limits (docs/notes/performance.md): with as many rows as make cells faster for single queries, comparing
all pairs of rows at once is still faster than searching the cells for every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from image_similarity.neighbours.cells.index import CellsIndex
from image_similarity.neighbours.exact import ExactIndex

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.types import NeighbourIndex, Progress

EXACT_UP_TO = 50_000
"""The most rows for which every row is compared with a query."""

ALL_PAIRS_UP_TO = 100_000
"""The most rows for which every row is compared with every other, to find the nearest of all rows at once."""

MIN_RECALL = 0.98
"""The recall on a sample below which every row is compared instead of cells, where that is possible."""


class LargeIndex(Protocol):
    """A class of :class:`~image_similarity.types.NeighbourIndex` with files of its own; ``vectors``: ``(n, d)``."""

    @classmethod
    def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress) -> NeighbourIndex:
        """Build an index and write its files into a folder."""
        ...

    @classmethod
    def open(cls, vectors: NDArray[np.float16], folder: Path) -> NeighbourIndex:
        """Open the index that was written into a folder."""
        ...

    @classmethod
    def update(
        cls, old: Path, folder: Path, vectors: NDArray[np.float16], rows: NDArray[np.int64], progress: Progress
    ) -> NeighbourIndex:
        """Update the index in ``old`` and write it into ``folder``.

        ``rows[i]`` is the new row of old row ``i``, -1 where it was removed; all other rows are new.
        """
        ...


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """Which approximate index to use above how many rows; None: always the exact one."""

    large: type[LargeIndex] | None = None
    exact_up_to: int = EXACT_UP_TO

    def for_rows(self, rows: int) -> type[LargeIndex] | None:
        """The approximate index for this many rows; None for the exact one."""
        return self.large if rows > self.exact_up_to else None


def open_or_exact(
    large: type[LargeIndex], vectors: NDArray[np.float16], folder: Path, all_pairs_up_to: int = ALL_PAIRS_UP_TO
) -> NeighbourIndex:
    """Open the approximate index in a folder, or the exact one where cells have too little recall.

    That happens with vectors like noise, which have no clusters. The exact index is used for them up to
    ``all_pairs_up_to`` rows.
    """
    index = large.open(vectors, folder)
    few = len(vectors) <= all_pairs_up_to
    return ExactIndex(vectors) if few and isinstance(index, CellsIndex) and index.effort.recall < MIN_RECALL else index


STANDARD_CHOICE = IndexChoice(CellsIndex)
