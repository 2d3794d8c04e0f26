"""Filters: conditions on attributes joined by and, or, not. docs/answers.md describes the language."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import UsageError
from image_similarity.index.columns import MISSING
from image_similarity.index.matching_rows import AllOf, AnyOf, Codes, Complement, matching

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from image_similarity.index.columns import Column
    from image_similarity.index.matching_rows import Node, Run
    from image_similarity.types import RowSet

MOST_DEPTH = 50  # conditions inside conditions
EXAMPLES = 3  # values shown in an error
LONGEST_EXAMPLE = 30
LISTED_ATTRIBUTES = 20  # in an error
NO_ATTRIBUTES: Mapping[str, bool] = MappingProxyType({})

Value = str | float
"""A text or a number. In a numeric attribute 42 equals 42.0 and 42 EUR; in others it equals the text 42."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The attribute has this value. The empty text equals a missing value."""

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
    """The attribute is between two values; None: no bound.

    With numeric bounds, values that are not numbers are in no range. Texts are ordered by code points, which suits
    dates like 2024-03-01. A missing value is in no range.
    """

    attribute: str
    low: Value | None = None
    high: Value | None = None
    low_included: bool = True
    high_included: bool = True
    at: int | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of the conditions; without any, everything passes."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the conditions; without any, nothing passes."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The rows that do not pass the condition, including rows without a value."""

    part: Filter


Filter = Equals | In | Range | And | Or | Not


def passing(
    condition: Filter, columns: Mapping[str, Column], rows: int, elsewhere: Mapping[str, bool] = NO_ATTRIBUTES
) -> RowSet:
    """The rows that pass a filter.

    Args:
        condition: the filter.
        columns: the attributes of these rows.
        rows: the length of each column.
        elsewhere: attributes that the rows of another index have, and whether some of their values are numbers. If
            ``columns`` lacks such an attribute, all rows here count as having no value.

    Raises:
        UsageError: there is no such attribute, or numeric bounds are given for one without numbers.
    """
    return matching(_resolved(condition, columns, elsewhere, MOST_DEPTH), rows)


def mask(condition: Filter, columns: Mapping[str, Column], rows: int) -> NDArray[np.bool_]:
    """:func:`passing` as a mask ``(rows,)``."""
    return passing(condition, columns, rows).mask()


def _resolved(condition: Filter, columns: Mapping[str, Column], elsewhere: Mapping[str, bool], depth: int) -> Node:
    """Translate the values of a filter into ranges of codes."""
    if not depth:
        raise UsageError(f"the filter has more than {MOST_DEPTH} conditions inside each other")
    if isinstance(condition, Not):
        return Complement(_resolved(condition.part, columns, elsewhere, depth - 1))
    if isinstance(condition, And):
        return AllOf(_flat([_resolved(part, columns, elsewhere, depth - 1) for part in condition.parts]))
    if isinstance(condition, Or):
        return AnyOf([_resolved(part, columns, elsewhere, depth - 1) for part in condition.parts])
    column = columns.get(condition.attribute)
    if column is None:
        if condition.attribute in elsewhere:
            return AllOf([]) if _is_of_missing(condition) else AnyOf([])
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
    """Merge nested ``AllOf`` parts into one list, so that the most selective part is chosen among all of them."""
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, AllOf) else [part]
    return flat


def _one_of(column: Column, values: tuple[Value, ...]) -> Node:
    ranked: set[int] = set()
    coded: set[int] = set()
    for value in values:
        if not isinstance(value, str) and column.numbers is not None:
            at = int(column.numbers.searchsorted(value))
            ranked |= {at + 1} if at < len(column.numbers) and column.numbers[at] == value else set()
        else:
            text = value if isinstance(value, str) else number_text(value)
            at = column.texts.find(text)
            coded |= {at + 1} if at >= 0 else set() if text else {MISSING}
    if column.ranks is None:
        return Codes.of(column.codes, _runs(coded), column.by_text)
    by_rank = Codes.of(column.ranks, _runs(ranked), column.by_rank)
    if not coded:
        return by_rank
    by_text = Codes.of(column.codes, _runs(coded), column.by_text)
    return AnyOf([by_text, by_rank]) if ranked else by_text


def _runs(codes: set[int]) -> list[Run]:
    """Codes as ascending half-open ranges."""
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
    where = _position(condition.at)
    if numeric and len(numeric) < len(bounds):
        raise UsageError(f"{where}{condition.attribute} cannot be between a number and a text")
    if numeric and column.numbers is None:
        if has_numbers:
            return AnyOf([])
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
    """Why values cannot be compared with a number; suggests comparing texts if that gives the right rows."""
    examples = column.texts[:EXAMPLES]
    message = (
        f"{where}{attribute} is compared with the number {number_text(number)}, but none of its values is one: there "
    )
    message += "are " + ", ".join(f'"{each[:LONGEST_EXAMPLE]}"' for each in examples)
    if any(character.isdigit() for each in examples for character in each):
        return message  # compared as texts, "9 pieces" would come after "12 pieces"
    return f'{message}. Texts are compared in quotes, in the order of their letters: size >= "M"'


def _span_of_numbers(numbers: NDArray[np.float64], condition: Range) -> tuple[int, int]:
    low, high = 0, len(numbers)
    if condition.low is not None:
        low = int(numbers.searchsorted(condition.low, "left" if condition.low_included else "right"))
    if condition.high is not None:
        high = int(numbers.searchsorted(condition.high, "right" if condition.high_included else "left"))
    return low, high


def number_text(number: float) -> str:
    """A number as catalogues write it: a whole number without a decimal point."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


def _unknown(attribute: str, at: int | None, columns: Mapping[str, Any]) -> str:
    known = sorted(columns)
    if not known:
        return f"{_position(at)}there is no attribute {attribute}: the catalogue has none"
    more = f" and {len(known) - LISTED_ATTRIBUTES} more" if len(known) > LISTED_ATTRIBUTES else ""
    listed = ", ".join(known[:LISTED_ATTRIBUTES]) + more
    return f"{_position(at)}there is no attribute {attribute}: there are {listed}"


def _position(at: int | None) -> str:
    return "" if at is None else f"the filter at character {at + 1}: "
