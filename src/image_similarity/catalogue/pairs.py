"""Read a table of pairs of similar products: ``product_id,similar_product_id``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.catalogue.columns import PRODUCT, as_text, column_key
from image_similarity.catalogue.rows import BadRow
from image_similarity.catalogue.tables import open_table
from image_similarity.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from image_similarity.settings import Settings

VERDICT, BAD = "verdict", "bad"  # of the service's feedback: the products are not similar
SIMILAR = ["similar_product_id", "similar_item_id", "similar_product", "similar_item", "similar_id", "similar"]


def read_pairs(location: str, settings: Settings) -> list[tuple[str, str]]:
    """The pairs of a CSV, JSON lines or Parquet table, in order, without those whose ``verdict`` is ``bad``.

    Raises:
        CatalogueError: the table or a column does not exist, or a row lacks an id or cannot be read.
    """
    pairs = []
    with open_table(location, settings) as table:
        left, right = (_column(table.header, names, location) for names in (PRODUCT, SIMILAR))
        for row in table.rows:
            if isinstance(row, BadRow):
                raise CatalogueError(f"{location}:{row.number}: {row.reason}")
            if as_text(row.cells.get(VERDICT)).strip().lower() == BAD:
                continue
            pair = tuple(as_text(row.cells.get(name)).strip() for name in (left, right))
            if not all(pair):
                raise CatalogueError(f"{location}:{row.number}: the row needs {left} and {right}")
            pairs.append((pair[0], pair[1]))
    return pairs


def _column(header: Sequence[str], names: Iterable[str], where: str) -> str:
    known = {column_key(name): name for name in reversed(header)}
    for name in names:
        if column_key(name) in known:
            return known[column_key(name)]
    existing = ", ".join(name for name in header if name) or "none at all"
    raise CatalogueError(f"{where} must have the columns product_id and similar_product_id. It has: {existing}")
