"""Which rows pass: conditions on attributes, joined by and, or, not. docs/answers.md has the language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import UsageError
from image_similarity.index.columns import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from image_similarity.index.columns import Column

MOST_DEPTH = 50  # conditions inside conditions
FEW = 8  # values that are compared one by one; more are looked up in a table
NARROW = 16  # one row in so many is left: from then on rows are picked out rather than all compared
NAMED = 20  # attributes that an error lists

Value = str | float
"""A text, or a number: 42 equals 42.0 where all values of the attribute are numbers, and is the text 42 elsewhere."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The attribute has this value. The empty text is equal to a missing value."""

    attribute: str
    value: Value
    at: int | None = field(default=None, compare=False, repr=False)  # where the filter's text names the attribute


@dataclass(frozen=True, slots=True)
class In:
    """The attribute has one of these values."""

    attribute: str
    values: tuple[Value, ...]
    at: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Range:
    """The attribute is between two values, themselves included unless told otherwise; None: no bound.

    Between numbers where all of its values are numbers; between texts in the order of their characters' code points,
    so that dates like 2024-03-01 are in order. A missing value is in no range.
    """

    attribute: str
    low: Value | None = None
    high: Value | None = None
    low_included: bool = True
    high_included: bool = True
    at: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of these; none of them: everything passes."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these; none of them: nothing passes."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Whatever does not pass this, rows without a value among it."""

    part: Filter


Filter = Equals | In | Range | And | Or | Not


def mask(condition: Filter, columns: Mapping[str, Column], rows: int) -> NDArray[np.bool_]:
    """The rows that pass, ``(rows,)``.

    Args:
        condition: the filter.
        columns: the attributes that there are.
        rows: how many rows each has.

    Raises:
        UsageError: there is no such attribute, or a range of numbers is asked of texts.
    """
    return _mask(condition, columns, _Rows(rows), MOST_DEPTH)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that are still in question: some, or all."""

    count: int
    some: NDArray[np.intp] | None = None

    def of(self, codes: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """A column's codes of these rows."""
        return codes if self.some is None else codes[self.some]


def _mask(condition: Filter, columns: Mapping[str, Column], rows: _Rows, depth: int) -> NDArray[np.bool_]:
    if not depth:
        raise UsageError(f"the filter has more than {MOST_DEPTH} conditions inside each other")
    if isinstance(condition, Not):
        passing = _mask(condition.part, columns, rows, depth - 1)
        return np.logical_not(passing, out=passing)
    if isinstance(condition, And):
        return _all_of(condition.parts, columns, rows, depth)
    if isinstance(condition, Or):
        passing = np.zeros(rows.count, bool)
        for part in condition.parts:
            np.logical_or(passing, _mask(part, columns, rows, depth - 1), out=passing)
        return passing
    column = columns.get(condition.attribute)
    if column is None:
        raise UsageError(_unknown(condition.attribute, condition.at, columns))
    if isinstance(condition, Range):
        return _in_range(column, condition, rows)
    return _has_one_of(column, (condition.value,) if isinstance(condition, Equals) else condition.values, rows)


def _all_of(parts: tuple[Filter, ...], columns: Mapping[str, Column], rows: _Rows, depth: int) -> NDArray[np.bool_]:
    """Every part holds. As soon as few rows are left, the parts that follow are asked about those only."""
    passing, left = np.ones(rows.count, bool), rows
    narrowed: NDArray[np.intp] | None = None  # of ``rows``, those that are left
    for place, part in enumerate(parts):
        found = _mask(part, columns, left, depth - 1)
        if narrowed is not None:
            passing[narrowed] &= found
            continue
        passing = np.logical_and(passing, found, out=found) if place else found
        if place < len(parts) - 1 and np.count_nonzero(passing) * NARROW < rows.count:
            narrowed = np.flatnonzero(passing)
            left = _Rows(len(narrowed), narrowed if rows.some is None else rows.some[narrowed])
    return passing


def _has_one_of(column: Column, values: tuple[Value, ...], rows: _Rows) -> NDArray[np.bool_]:
    ranked: set[int] = set()
    coded: set[int] = set()
    for value in values:
        if not isinstance(value, str) and column.numbers is not None:
            at = int(np.searchsorted(column.numbers, value))
            ranked |= {at + 1} if at < len(column.numbers) and column.numbers[at] == value else set()
        else:
            text = value if isinstance(value, str) else plain(value)
            at = column.texts.find(text)
            coded |= {at + 1} if at >= 0 else set() if text else {MISSING}
    passing = _among(rows.of(column.codes), coded)
    return passing if column.ranks is None or not ranked else passing | _among(rows.of(column.ranks), ranked)


def _among(codes: NDArray[np.unsignedinteger], wanted: set[int]) -> NDArray[np.bool_]:
    if len(wanted) > FEW:
        table = np.zeros(int(codes.max(initial=0)) + 1, bool)
        table[list(wanted)] = True
        found: NDArray[np.bool_] = table[codes]
        return found
    passing = np.zeros(len(codes), bool)
    for place, code in enumerate(sorted(wanted)):
        equal = codes == codes.dtype.type(code)
        passing = np.logical_or(passing, equal, out=equal) if place else equal
    return passing


def _in_range(column: Column, condition: Range, rows: _Rows) -> NDArray[np.bool_]:
    bounds = [bound for bound in (condition.low, condition.high) if bound is not None]
    numeric = [bound for bound in bounds if not isinstance(bound, str)]
    where = _where(condition.at)
    if numeric and len(numeric) < len(bounds):
        raise UsageError(f"{where}{condition.attribute} cannot be between a number and a text")
    if numeric and column.numbers is None:
        raise UsageError(
            f"{where}{condition.attribute} is compared with the number {plain(numeric[0])}, but not all of its values "
            'are numbers: write texts in quotes, as in size >= "M"'
        )
    if numeric and column.ranks is not None and column.numbers is not None:
        codes = column.ranks
        low, high = _span_of_numbers(column.numbers, condition)
    else:
        codes, texts = column.codes, column.texts
        low = 0 if condition.low is None else texts.place(str(condition.low), after=not condition.low_included)
        high = len(texts) if condition.high is None else texts.place(str(condition.high), after=condition.high_included)
    if low >= high:
        return np.zeros(rows.count, bool)
    codes = rows.of(codes)
    # Codes low + 1 to high. Unsigned, so what is below the first becomes very large: one comparison for both bounds.
    shifted = codes - codes.dtype.type(low + 1)
    return np.less(shifted, codes.dtype.type(high - low))


def _span_of_numbers(numbers: NDArray[np.float64], condition: Range) -> tuple[int, int]:
    low, high = 0, len(numbers)
    if condition.low is not None:
        low = int(np.searchsorted(numbers, condition.low, "left" if condition.low_included else "right"))
    if condition.high is not None:
        high = int(np.searchsorted(numbers, condition.high, "right" if condition.high_included else "left"))
    return low, high


def plain(number: float) -> str:
    """A number as catalogues write it: without a point where it is whole."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def _unknown(attribute: str, at: int | None, columns: Mapping[str, Any]) -> str:
    known = sorted(columns)
    if not known:
        return f"{_where(at)}there is no attribute {attribute}: the catalogue has none"
    listed = ", ".join(known[:NAMED]) + (f" and {len(known) - NAMED} more" if len(known) > NAMED else "")
    return f"{_where(at)}there is no attribute {attribute}: there are {listed}"


def _where(at: int | None) -> str:
    return "" if at is None else f"the filter at character {at + 1}: "
