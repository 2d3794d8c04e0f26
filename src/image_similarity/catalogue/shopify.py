"""Shopify's ``products.json``: a product's variants become its attributes, as its CSV export has them in columns."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from image_similarity.catalogue.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from image_similarity.catalogue.rows import BadRow, Table

TAKEN = ("handle", "variants", "options")
PRICES = ("price", "compare_at_price")


def without_variants(table: Table) -> Table:
    """The table with a product's ``variants`` as attributes; another table as it is.

    The product is called by its ``handle``, as in the CSV export and in its page's address. ``price`` is the lowest of
    its variants, ``available`` whether one of them is. Each option, such as ``Size``, is an attribute with its values.
    """
    if not {"handle", "variants"} <= set(table.header):
        return table
    rows = (_flattened(row) for row in table.rows)
    first = next(rows, None)
    if not isinstance(first, Row):
        return replace(table, rows=chain([] if first is None else [first], rows))
    return replace(table, header=tuple(first.cells), rows=chain([first], rows))


def _flattened(row: Row | BadRow) -> Row | BadRow:
    if not isinstance(row, Row):
        return row
    variants = _objects(row.cells.get("variants"))
    own = {name: value for name, value in row.cells.items() if name not in TAKEN}
    prices = {name: _lowest(variants, name) for name in PRICES}
    found = {"product_id": row.cells.get("handle"), **own, **{name: each for name, each in prices.items() if each}}
    stock = [_in_stock(each) for each in variants]
    if any(each is not None for each in stock):
        found["available"] = any(stock)
    for option in _objects(row.cells.get("options")):
        values = option.get("values")
        if isinstance(values, list) and isinstance(option.get("name"), str) and values != ["Default Title"]:
            found.setdefault(option["name"], ", ".join(map(str, values)))
    return Row(row.number, found)


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _lowest(variants: Iterable[Mapping[str, Any]], name: str) -> str | None:
    """The lowest price, as the feed spells it."""
    prices = [str(each[name]) for each in variants if each.get(name) not in (None, "")]
    return min(prices, key=_amount, default=None)


def _amount(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _in_stock(variant: Mapping[str, Any]) -> bool | None:
    """Whether a variant can be bought; None if the feed does not say."""
    if isinstance(variant.get("available"), bool):
        return bool(variant["available"])
    quantity = variant.get("inventory_quantity")
    return quantity > 0 if isinstance(quantity, int) else None
