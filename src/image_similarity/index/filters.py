"""Which rows pass: conditions on attributes, joined by and, or, not. docs/answers.md has the language."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import UsageError
from image_similarity.index.columns import MISSING
from image_similarity.index.matching_rows import All, Codes, Either, Other, found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from image_similarity.index.columns import Column
    from image_similarity.index.matching_rows import Node, Run
    from image_similarity.types import RowSet

MOST_DEPTH = 50  # conditions inside conditions
EXAMPLES = 3  # values that an error shows
LONGEST_EXAMPLE = 30
NAMED = 20  # attributes that an error lists
NOWHERE: Mapping[str, bool] = MappingProxyType({})

Value = str | float
"""A text, or a number: 42 equals 42.0 and 42 EUR where the attribute has numbers, and is the text 42 elsewhere."""


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

    Between numbers: whatever of its values is none is in no range. Between texts in the order of their characters' code
    points, so that dates like 2024-03-01 are in order. A missing value is in no range.
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


def passing(
    condition: Filter, columns: Mapping[str, Column], rows: int, elsewhere: Mapping[str, bool] = NOWHERE
) -> RowSet:
    """The rows that pass.

    Args:
        condition: the filter.
        columns: the attributes that there are.
        rows: how many rows each has.
        elsewhere: attributes that other rows have, and whether some of their values there are numbers. Where these rows
            have them not, all of their values are missing.

    Raises:
        UsageError: there is no such attribute, or a range of numbers is asked of one that has none.
    """
    return found(_resolved(condition, columns, elsewhere, MOST_DEPTH), rows)


def mask(condition: Filter, columns: Mapping[str, Column], rows: int) -> NDArray[np.bool_]:
    """As :func:`passing`, as a mask ``(rows,)``."""
    return passing(condition, columns, rows).mask()


def _resolved(condition: Filter, columns: Mapping[str, Column], elsewhere: Mapping[str, bool], depth: int) -> Node:
    """The filter with codes in place of values."""
    if not depth:
        raise UsageError(f"the filter has more than {MOST_DEPTH} conditions inside each other")
    if isinstance(condition, Not):
        return Other(_resolved(condition.part, columns, elsewhere, depth - 1))
    if isinstance(condition, And):
        return All(_flat([_resolved(part, columns, elsewhere, depth - 1) for part in condition.parts]))
    if isinstance(condition, Or):
        return Either([_resolved(part, columns, elsewhere, depth - 1) for part in condition.parts])
    column = columns.get(condition.attribute)
    if column is None:
        if condition.attribute in elsewhere:
            return All([]) if _is_of_missing(condition) else Either([])
        raise UsageError(_unknown(condition.attribute, condition.at, columns))
    if isinstance(condition, Range):
        return _in_range(column, condition, has_numbers=elsewhere.get(condition.attribute, False))
    return _one_of(column, (condition.value,) if isinstance(condition, Equals) else condition.values)


def _is_of_missing(condition: Equals | In | Range) -> bool:
    """Whether a row without a value passes."""
    if isinstance(condition, Range):
        return False
    return "" in ((condition.value,) if isinstance(condition, Equals) else condition.values)


def _flat(parts: list[Node]) -> list[Node]:
    """What all hold, in one list: the part that lists the fewest rows is looked for among all of them."""
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, All) else [part]
    return flat


def _one_of(column: Column, values: tuple[Value, ...]) -> Node:
    ranked: set[int] = set()
    coded: set[int] = set()
    for value in values:
        if not isinstance(value, str) and column.numbers is not None:
            at = int(column.numbers.searchsorted(value))
            ranked |= {at + 1} if at < len(column.numbers) and column.numbers[at] == value else set()
        else:
            text = value if isinstance(value, str) else plain(value)
            at = column.texts.find(text)
            coded |= {at + 1} if at >= 0 else set() if text else {MISSING}
    if column.ranks is None:
        return Codes.of(column.codes, _runs(coded), column.by_text)
    by_rank = Codes.of(column.ranks, _runs(ranked), column.by_rank)
    if not coded:
        return by_rank
    by_text = Codes.of(column.codes, _runs(coded), column.by_text)
    return Either([by_text, by_rank]) if ranked else by_text


def _runs(codes: set[int]) -> list[Run]:
    runs: list[Run] = []
    for code in sorted(codes):
        if runs and runs[-1][1] == code:
            runs[-1] = (runs[-1][0], code + 1)
        else:
            runs.append((code, code + 1))
    return runs


def _in_range(column: Column, condition: Range, *, has_numbers: bool) -> Node:
    bounds = [bound for bound in (condition.low, condition.high) if bound is not None]
    numeric = [bound for bound in bounds if not isinstance(bound, str)]
    where = _where(condition.at)
    if numeric and len(numeric) < len(bounds):
        raise UsageError(f"{where}{condition.attribute} cannot be between a number and a text")
    if numeric and column.numbers is None:
        if has_numbers:
            return Either([])
        raise UsageError(_no_numbers(column, condition.attribute, numeric[0], where))
    if numeric and column.ranks is not None and column.numbers is not None:
        codes, by_code = column.ranks, column.by_rank
        low, high = _span_of_numbers(column.numbers, condition)
    else:
        codes, texts, by_code = column.codes, column.texts, column.by_text
        low = 0 if condition.low is None else texts.place(str(condition.low), after=not condition.low_included)
        high = len(texts) if condition.high is None else texts.place(str(condition.high), after=condition.high_included)
    return Codes.of(codes, [(low + 1, high + 1)] if low < high else [], by_code)


def _no_numbers(column: Column, attribute: str, number: float, where: str) -> str:
    """Why values cannot be compared with a number; and what can be done, where that gives the right rows."""
    examples = column.texts[:EXAMPLES]
    message = f"{where}{attribute} is compared with the number {plain(number)}, but none of its values is one: there "
    message += "are " + ", ".join(f'"{each[:LONGEST_EXAMPLE]}"' for each in examples)
    if any(character.isdigit() for each in examples for character in each):
        return message  # in the order of their characters, 9 pieces come after 12 pieces
    return f'{message}. Texts are compared in quotes, in the order of their letters: size >= "M"'


def _span_of_numbers(numbers: NDArray[np.float64], condition: Range) -> tuple[int, int]:
    low, high = 0, len(numbers)
    if condition.low is not None:
        low = int(numbers.searchsorted(condition.low, "left" if condition.low_included else "right"))
    if condition.high is not None:
        high = int(numbers.searchsorted(condition.high, "right" if condition.high_included else "left"))
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
