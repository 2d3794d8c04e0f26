"""Which index answers for how many rows: all of them compared up to a number, an approximate one from there on.

Two numbers, since they pay at different sizes (docs/notes/performance.md): one query at a time is sooner answered by
cells already where all pairs at once are still sooner compared than the cells of all of them are looked into.
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
"""Up to so many rows every row is compared with every query."""

ALL_PAIRS_UP_TO = 100_000
"""Up to so many rows every row is compared with every other where all are asked for at once."""


LEAST = 0.98
"""Of the nearest, the share that cells are to find on a sample, where every row could be compared instead."""


class LargeIndex(Protocol):
    """What makes a :class:`~image_similarity.types.NeighbourIndex` with files of its own; ``vectors``: ``(n, d)``."""

    @classmethod
    def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress) -> NeighbourIndex:
        """Write its files into a folder."""
        ...

    @classmethod
    def open(cls, vectors: NDArray[np.float16], folder: Path) -> NeighbourIndex:
        """Map what was written before."""
        ...

    @classmethod
    def update(
        cls, old: Path, folder: Path, vectors: NDArray[np.float16], rows: NDArray[np.int64], progress: Progress
    ) -> NeighbourIndex:
        """Write its files into ``folder`` out of those in ``old``.

        ``rows[i]`` is the new row of old row ``i``, -1 where it has gone; rows that none leads to are new.
        """
        ...


@dataclass(frozen=True, slots=True)
class IndexChoice:
    """From how many rows on which approximate index answers; None: never one."""

    large: type[LargeIndex] | None = None
    exact_up_to: int = EXACT_UP_TO

    def for_rows(self, rows: int) -> type[LargeIndex] | None:
        """The approximate index for so many rows, or None where the exact one is to answer."""
        return self.large if rows > self.exact_up_to else None


def open_or_exact(
    large: type[LargeIndex], vectors: NDArray[np.float16], folder: Path, all_pairs_up_to: int = ALL_PAIRS_UP_TO
) -> NeighbourIndex:
    """What answers in a folder with an approximate index's files.

    Vectors that are like noise have no neighbourhoods, and cells find little of them: every row is compared then, as
    long as there are no more than ``all_pairs_up_to``.
    """
    index = large.open(vectors, folder)
    few = len(vectors) <= all_pairs_up_to
    return ExactIndex(vectors) if few and isinstance(index, CellsIndex) and index.effort.recall < LEAST else index


STANDARD_CHOICE = IndexChoice(CellsIndex)
