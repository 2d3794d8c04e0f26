"""Find the rows that pass a filter whose values were translated into ranges of codes.

The rows of a selective range are a slice of the column's sorted rows: they are listed, and the other conditions are
evaluated for them alone. Complement ranges are compared with the code of every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from image_similarity.neighbours import Listed, Masked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from image_similarity.index.columns import SortedRows
    from image_similarity.types import RowSet

FEW_RUNS = 8  # compared one by one; more are looked up in a table
NARROW = 16  # when fewer than one row in this many is left, rows are listed instead of masked

Run = tuple[int, int]  # a half-open range of codes


@dataclass(frozen=True, slots=True)
class Codes:
    """Rows whose code is in one of some runs.

    Attributes:
        codes: ``(rows,)``, unsigned.
        runs: ascending, neither overlapping nor adjacent.
        by_code: the rows sorted by these codes; None if the file does not have them.
        listed: the number of rows if they are few enough to be listed, else None.
    """

    codes: NDArray[np.unsignedinteger]
    runs: list[Run]
    by_code: SortedRows | None
    listed: int | None

    @classmethod
    def of(cls, codes: NDArray[np.unsignedinteger], runs: list[Run], by_code: SortedRows | None) -> Self:
        """Rows of some runs; decides whether they are listed."""
        if by_code is None or len(runs) > FEW_RUNS:
            return cls(codes, runs, by_code, None)
        if runs and not by_code.count(0, runs[0][0]):  # no row has a lower code: one bound less to compare
            runs = [(0, runs[0][1]), *runs[1:]]
        count = 0
        for low, high in runs:
            count += by_code.count(low, high)
        return cls(codes, runs, by_code, count if count * by_code.listed_from <= len(codes) else None)

    def numbers(self) -> NDArray[np.intp]:
        """The rows, in any order; only if they are :attr:`listed`."""
        if self.by_code is None or not self.runs:
            return np.empty(0, np.intp)
        pieces = [self.by_code.rows(low, high) for low, high in self.runs]
        return (pieces[0] if len(pieces) == 1 else np.concatenate(pieces)).astype(np.intp)

    def mask(self, rows: NDArray[np.intp] | None) -> NDArray[np.bool_]:
        """Which of some rows, or of all if None, have a code in the runs."""
        codes = self.codes if rows is None else self.codes.take(rows)
        if len(self.runs) > FEW_RUNS:
            table = np.zeros(max(self.runs[-1][1], int(codes.max(initial=0)) + 1), bool)
            for low, high in self.runs:
                table[low:high] = True
            found: NDArray[np.bool_] = table[codes]
            return found
        if not self.runs:
            return np.zeros(len(codes), bool)
        passing = _within(codes, self.runs[0])
        for run in self.runs[1:]:
            np.logical_or(passing, _within(codes, run), out=passing)
        return passing


@dataclass(frozen=True)
class AllOf:
    """Rows that pass every part."""

    parts: list[Node]


@dataclass(frozen=True)
class AnyOf:
    """Rows that pass at least one part."""

    parts: list[Node]


@dataclass(frozen=True)
class Complement:
    """Rows that do not pass the part."""

    part: Node


Node = Codes | AllOf | AnyOf | Complement


def matching(node: Node, rows: int) -> RowSet:
    """The rows that pass, out of ``rows``."""
    if isinstance(node, Codes):
        return Masked(node.mask(None)) if node.listed is None else Listed(node.numbers(), rows)
    if isinstance(node, Complement):
        return Masked(np.logical_not(matching(node.part, rows).mask()))
    return _all_of(node.parts, rows) if isinstance(node, AllOf) else _any_of(node.parts, rows)


def _all_of(parts: list[Node], rows: int) -> RowSet:
    """Evaluate the most selective part first; once few rows are left, the other parts are evaluated for those only."""
    if not parts:
        return Masked(np.ones(rows, bool))
    first, fewest = parts[0], rows + 1
    for part in parts:
        if isinstance(part, Codes) and part.listed is not None and part.listed < fewest:
            first, fewest = part, part.listed
    left = matching(first, rows)
    for part in parts:
        if part is first:
            continue
        if isinstance(left, Masked) and left.count * NARROW < rows:
            left = Listed(left.numbers(), rows)
        if isinstance(left, Listed):
            # compress: three times as fast as indexing with the mask if many rows are left, in no pattern.
            left = Listed(left.of.compress(_passes(part, left.of)), rows)
        else:
            left = Masked(np.logical_and(left.mask(), matching(part, rows).mask()))
    return left


def _any_of(parts: list[Node], rows: int) -> RowSet:
    each = [matching(part, rows) for part in parts]
    if all(isinstance(one, Listed) for one in each):
        union = np.unique(np.concatenate([np.empty(0, np.intp), *(one.numbers() for one in each)]))
        return Listed(union, rows)
    passing = np.zeros(rows, bool)
    for one in each:
        if isinstance(one, Listed):
            passing[one.of] = True
        else:
            np.logical_or(passing, one.mask(), out=passing)
    return Masked(passing)


def _passes(node: Node, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of these rows pass."""
    if isinstance(node, Codes):
        return node.mask(rows)
    if isinstance(node, Complement):
        return np.logical_not(_passes(node.part, rows))
    passing = np.full(len(rows), isinstance(node, AllOf))
    for part in node.parts:
        (np.logical_and if isinstance(node, AllOf) else np.logical_or)(passing, _passes(part, rows), out=passing)
    return passing


def _within(codes: NDArray[np.unsignedinteger], run: Run) -> NDArray[np.bool_]:
    low, high = run
    kind = codes.dtype.type
    if high - low == 1:
        equal: NDArray[np.bool_] = codes == kind(low)
        return equal
    if high - low >= 1 << 8 * codes.itemsize:
        return np.ones(len(codes), bool)
    # Unsigned, so a code below the lower bound wraps to a very large one: one comparison for both bounds.
    return np.less(codes if not low else codes - kind(low), kind(high - low))
