"""Conditions on attributes, told once and put into each peer's own words; and the four that the bench asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Attributes = Mapping[str, NDArray]
Value = str | float | bool


@dataclass(frozen=True)
class In:
    """The attribute is one of the values; with one value, equality."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Between:
    """``low <= attribute < high``."""

    name: str
    low: float
    high: float


@dataclass(frozen=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition = In | Between | All | Either | Not


def mask(where: Condition, attributes: Attributes) -> NDArray[np.bool_]:
    """The rows that the condition lets pass: what judges the peers."""
    match where:
        case In(name, values):
            return np.isin(attributes[name], np.array(values))
        case Between(name, low, high):
            return (attributes[name] >= low) & (attributes[name] < high)
        case All(parts):
            return np.logical_and.reduce([mask(part, attributes) for part in parts])
        case Either(parts):
            return np.logical_or.reduce([mask(part, attributes) for part in parts])
        case Not(part):
            return ~mask(part, attributes)


def sql(where: Condition, *, equal: str = "=", brackets: str = "()") -> str:
    """The condition in SQL, as DataFusion (LanceDB) reads it; Milvus has other signs for two things."""
    match where:
        case In(name, (value,)):
            return f"{name} {equal} {_literal(value)}"
        case In(name, values):
            return f"{name} IN {brackets[0]}{', '.join(_literal(value) for value in values)}{brackets[1]}"
        case Between(name, low, high):
            return f"({name} >= {low} AND {name} < {high})"
        case All(parts):
            return f"({' AND '.join(sql(part, equal=equal, brackets=brackets) for part in parts)})"
        case Either(parts):
            return f"({' OR '.join(sql(part, equal=equal, brackets=brackets) for part in parts)})"
        case Not(part):
            return f"(NOT ({sql(part, equal=equal, brackets=brackets)}))"


def ready(attributes: Attributes) -> dict[str, Condition]:
    """Conditions that about 50, 10, 1 and 0.1 % of the rows pass, by the share's name.

    Between them they use equality, in, ranges, and, or and not. All but the first keep to a part of the shop: a photo's
    look-alikes stand where the condition lets nothing pass as often as not, which is what such queries are like.
    """
    cheap = All((In("in_stock", (True,)), Between("price", 0.0, _quantile(attributes, 0.77))))
    half = Either((cheap, In("department", tuple(f"department-{i}" for i in range(10, 13)))))
    few = All((In("department", ("department-1", "department-4", "department-7")), Not(In("in_stock", (False,)))))
    brand = _brand(attributes, 0.002)
    return {
        "50 %": half,
        "10 %": _narrowed(few, attributes, 0.10),
        "1 %": _narrowed(All((In("department", ("department-3",)), Not(In("brand", (brand,))))), attributes, 0.01),
        "0.1 %": _narrowed(All((In("brand", (brand,)), In("in_stock", (True,)))), attributes, 0.001),
    }


def _narrowed(where: Condition, attributes: Attributes, share: float) -> Condition:
    """The condition, and a range of prices from 0 that leaves this share of all rows, or nearest to it."""
    passing = np.sort(attributes["price"][mask(where, attributes)])
    wanted = min(round(share * len(attributes["price"])), len(passing))
    high = float(passing[wanted]) if wanted < len(passing) else float(passing[-1]) + 1
    return All((where, Between("price", 0.0, round(high, 2))))


def _brand(attributes: Attributes, share: float) -> str:
    """The brand of which the share of the rows that are in stock is the smallest one above ``share``."""
    names, numbers = np.unique(attributes["brand"][attributes["in_stock"]], return_counts=True)
    enough = numbers >= share * len(attributes["brand"])
    return str(names[np.argmin(np.where(enough, numbers, numbers.max() + 1))])


def _quantile(attributes: Attributes, share: float) -> float:
    return round(float(np.quantile(attributes["price"], share)), 2)


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
