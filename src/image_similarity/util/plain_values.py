"""Convert records to values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any


class Record:
    """Base of dataclasses that become JSON objects; override ``as_dict`` where these differ from the fields."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, ready for JSON."""
        return fields_of(self)


def plain(value: Any) -> Any:
    """Convert a value to texts, numbers, lists and dictionaries alone.

    A record becomes its ``as_dict``, another dataclass its fields by name. Paths become texts, dates ISO texts, members
    of an enumeration their values, tuples lists, and numpy's numbers and arrays Python's.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Place:
    ...     file: PurePath
    ...     sides: tuple[int, int]
    >>> plain([Place(PurePath("a.jpg"), (2, 3))])
    [{'file': 'a.jpg', 'sides': [2, 3]}]
    """
    if isinstance(value, Record):
        return value.as_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "tolist"):  # numpy's, without importing numpy
        return value.tolist()
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):  # or a datetime, which is a date
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value]


def fields_of(record: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass by name, each converted by :func:`plain`; those in ``without`` are left out."""
    return {each.name: plain(getattr(record, each.name)) for each in fields(record) if each.name not in without}
