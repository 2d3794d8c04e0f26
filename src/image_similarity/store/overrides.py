"""Products that differ from the catalogue: upserted or deleted one by one, not by a fit.

No fit changes an upserted product; it stays until it is deleted. A deleted product is excluded until the next fit
begins: a fit that is running while a product is deleted does not bring it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from image_similarity.store.schema import placeholders

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from image_similarity.store.database import Database

PAGE = 500  # images per query
Override = Literal["upserted", "deleted"]


class Overrides:
    """The products of one dataset that were upserted or deleted one by one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.overridden = f"(SELECT item_id FROM {database.overrides})"
        """SQL: the products that a fit may not change now."""
        self.upserted = f"(SELECT item_id FROM {database.overrides} WHERE state = 'upserted')"
        """SQL: those of them that exist."""
        self.upserted_images = f"(SELECT image_id FROM {database.images} WHERE item_id IN {self.upserted})"
        """SQL: their images."""

    def record(self, connection: sqlite3.Connection, product_id: str, state: Override) -> None:
        """Record that a product was upserted or deleted, inside the transaction that does it."""
        connection.execute(f"INSERT OR REPLACE INTO {self._database.overrides} VALUES (?, ?)", (product_id, state))

    def forget_deleted(self) -> None:
        """Forget earlier deletes when a fit begins: its catalogue may list these products again."""
        with self._database.writing() as connection:
            connection.execute(f"DELETE FROM {self._database.overrides} WHERE state = 'deleted'")

    def among(self, product_ids: Sequence[str]) -> set[str]:
        """Those of some products that were upserted or deleted."""
        different = list(dict.fromkeys(product_ids))
        query = f"SELECT item_id FROM {self._database.overrides} WHERE item_id IN ({placeholders(different)})"
        with self._database.reading() as connection:
            return {item_id for (item_id,) in connection.execute(query, different)}

    def images(self) -> Iterator[tuple[str, str, str]]:
        """Image id, product id and location of every image of every upserted product."""
        query = (
            f"SELECT image_id, item_id, location FROM {self._database.images} "
            f"WHERE image_id > ? AND image_id IN {self.upserted_images} ORDER BY image_id LIMIT {PAGE}"
        )
        after = ""
        while True:
            with self._database.reading() as connection:
                some = connection.execute(query, (after,)).fetchall()
            yield from some
            if len(some) < PAGE:
                return
            after = some[-1][0]
