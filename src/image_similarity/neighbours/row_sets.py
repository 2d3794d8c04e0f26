"""Sets of rows of a matrix: a mask for many rows, a list of numbers for few."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.types import RowSet


@dataclass(frozen=True)
class Masked:
    """A :class:`~image_similarity.types.RowSet` given by its mask ``(rows,)``."""

    of: NDArray[np.bool_]

    @cached_property
    def count(self) -> int:
        return int(np.count_nonzero(self.of))

    def mask(self) -> NDArray[np.bool_]:
        """The mask ``(rows,)``; do not write to it."""
        return self.of

    def numbers(self) -> NDArray[np.intp]:
        """The rows, in any order."""
        return np.flatnonzero(self.of)

    def has(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each of some rows is in the set."""
        return self.of.take(rows)


@dataclass(frozen=True)
class Listed:
    """A :class:`~image_similarity.types.RowSet` given by its rows, each once, in any order; ``rows``: of the matrix."""

    of: NDArray[np.intp]
    rows: int

    @property
    def count(self) -> int:
        return len(self.of)

    def mask(self) -> NDArray[np.bool_]:
        """The mask ``(rows,)``; do not write to it."""
        return self._mask

    @cached_property
    def _mask(self) -> NDArray[np.bool_]:
        mask = np.zeros(self.rows, bool)
        mask[self.of] = True
        return mask

    def numbers(self) -> NDArray[np.intp]:
        """The rows, in any order; do not write to them."""
        return self.of

    def has(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each of some rows is in the set."""
        return self._mask.take(rows)


def row_set(allowed: RowSet | NDArray[np.bool_]) -> RowSet:
    """Wrap a mask ``(rows,)`` as a set of rows; a set is returned unchanged."""
    return Masked(allowed) if isinstance(allowed, np.ndarray) else allowed
