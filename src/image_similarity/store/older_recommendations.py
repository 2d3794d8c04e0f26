"""Dictionaries without a look-up file: the first version's pickle alone, or an earlier fit's Parquet file."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from image_similarity.errors import StoreError
from image_similarity.store import safe_pickle
from image_similarity.store.recommendations import COLUMNS
from image_similarity.types import ProductMatch
from image_similarity.util.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

DECIMALS = 6  # of a score: what a ranking gives, and all that float32 keeps


class Pickled:
    """The pickle says which products; scores and pictures come from the Parquet file, where it is there and agrees.

    Raises:
        StoreError: the pickle is damaged.
    """

    def __init__(self, pickle: Path, table: Path) -> None:
        self._table = table
        self._similar = safe_pickle.load(pickle)

    def products(self) -> Iterable[str]:
        """Every product's id."""
        return self._similar

    def by_chance(self) -> str | None:
        """One product's id, each as likely as any other; None when there are none."""
        return _one_of(list(self._similar))

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        """A product's answer, best first; None where it is not known.

        Raises:
            StoreError: the Parquet file is damaged.
        """
        if product_id not in self._similar:
            return None
        wanted = self._similar[product_id]
        matches = Tabled(self._table).similar(product_id) if self._table.exists() else None
        if matches is not None and [match.product_id for match in matches] == wanted:
            return matches
        return [ProductMatch(other, rank, None, "", "") for rank, other in enumerate(wanted, start=1)]


class Tabled:
    """The Parquet file alone. Every method raises ``StoreError`` where it is damaged."""

    def __init__(self, table: Path) -> None:
        self._table = table

    def products(self) -> Iterable[str]:
        """Every product's id, that has at least one similar product."""
        return dict.fromkeys(row["product"] for row in self._rows(["product"]))

    def by_chance(self) -> str | None:
        """One product's id, each as likely as any other; None when there are none."""
        return _one_of(list(self.products()))

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        """A product's answer, best first; None where it is not known."""
        try:
            product_id.encode()
        except UnicodeEncodeError:  # half a character, which no file has
            return None
        return [_match(row) for row in self._rows(list(COLUMNS), [("product", "=", product_id)])] or None

    def _rows(self, columns: list[str] | None, filters: Any = None) -> list[dict[str, Any]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with open_file(self._table) as file:
                table = pq.read_table(file, columns=columns, filters=filters, page_checksum_verification=True)
            rows: list[dict[str, Any]] = table.to_pylist()
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{self._table} is damaged: {error}. Run fit again") from error
        odd = next((name for row in rows for name, value in row.items() if not _is_sound(name, value)), None)
        if odd is not None or (columns and rows and len(rows[0]) < len(columns)):
            raise StoreError(f"{self._table} is damaged: {odd or 'a column'} is not what it should be. Run fit again")
        return rows


def _one_of(products: Sequence[str]) -> str | None:
    return random.choice(products) if products else None  # noqa: S311 (nobody's secret)


def _is_sound(column: str, value: object) -> bool:
    """Whether a cell is of its column's kind."""
    if column == "rank":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, float) and math.isfinite(value) if column == "score" else isinstance(value, str)


def _match(row: dict[str, Any]) -> ProductMatch:
    score = round(row["score"], DECIMALS)
    return ProductMatch(row["similar_product"], row["rank"], score, row["similar_image"], row["image"])
