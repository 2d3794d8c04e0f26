"""Products that differ from the catalogue: upserted or deleted one by one, not by a fit.

A product that was upserted stays as it is, through every fit, until it is deleted. One that was deleted stays away
until the next fit begins: what is deleted while a fit runs is not brought back by its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from image_similarity.store.database import Database

PAGE = 500  # images of products that were put, listed at once
Override = Literal["upserted", "deleted"]


class Overrides:
    """The products of one dataset that are not as the catalogue lists them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.overridden = f"(SELECT item_id FROM {database.overrides})"
        """SQL: the products that no fit may touch now."""
        self.upserted = f"(SELECT item_id FROM {database.overrides} WHERE state = 'upserted')"
        """SQL: of these the ones that exist."""
        self.upserted_images = f"(SELECT image_id FROM {database.images} WHERE item_id IN {self.upserted})"
        """SQL: their images."""

    def record(self, connection: sqlite3.Connection, product_id: str, state: Override) -> None:
        """Say, inside the transaction that does it, that a product was upserted or deleted."""
        connection.execute(f"INSERT OR REPLACE INTO {self._database.overrides} VALUES (?, ?)", (product_id, state))

    def forget_deleted(self) -> None:
        """A fit begins: what was deleted before it comes back if its catalogue lists it."""
        with self._database.writing() as connection:
            connection.execute(f"DELETE FROM {self._database.overrides} WHERE state = 'deleted'")

    def among(self, product_ids: Sequence[str]) -> set[str]:
        """Those of some products that differ."""
        different = list(dict.fromkeys(product_ids))
        places = ", ".join("?" * len(different))
        query = f"SELECT item_id FROM {self._database.overrides} WHERE item_id IN ({places})"
        with self._database.reading() as connection:
            return {item_id for (item_id,) in connection.execute(query, different)}

    def images(self) -> Iterator[tuple[str, str, str]]:
        """Image id, product id and location of every image of a product that was upserted."""
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
