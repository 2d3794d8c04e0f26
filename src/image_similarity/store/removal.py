"""A guard: how many products a run would take away, and whether that is more than anybody meant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import RemovalError, UsageError
from image_similarity.store.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from image_similarity.store.database import Database

FEW = 10  # products: fewer than this may always go
SHOWN = 3  # products that are named


@dataclass(frozen=True, slots=True)
class RemovalLimit:
    """So large a share of a dataset's products may go in one run; None: as many as will.

    Raises:
        UsageError: it is no share.
    """

    share: float | None = 0.1

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share <= 1:
            raise UsageError(f"the share of products that may go must be between 0 and 1, not {self.share}")

    def check(self, gone: Sequence[str], products: int, why: Callable[[], str]) -> None:
        """Refuse to take products away.

        Args:
            gone: the products that would go.
            products: how many there are.
            why: a clause that says why they would go, and what may be wrong.

        Raises:
            RemovalError: they are ten at least, and a larger share than may go.
        """
        if self.share is None or len(gone) < FEW or len(gone) <= self.share * products:
            return
        examples = ", ".join(gone[:SHOWN])
        raise RemovalError(
            f"{len(gone):,} of {products:,} products would be taken away ({examples}, ...): {why()}. At most "
            f"{self.share:.0%} may go without being asked for; nothing was taken away. If they are to go, say so "
            "(`allow_removal`)"
        )


class ListedProducts:
    """The products that a catalogue lists, on disk, held against those that a dataset has of it."""

    def __init__(self, database: Database) -> None:
        self._database, self._overrides = database, Overrides(database)
        database.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS listed_products (item_id TEXT PRIMARY KEY) WITHOUT ROWID"
        )
        database.connection.execute("DELETE FROM temp.listed_products")

    def add(self, product_ids: Iterable[str]) -> None:
        """Note products that are listed."""
        with self._database.reading() as connection:
            connection.execute("BEGIN")  # of the temporary table alone: nobody waits for it
            try:
                connection.executemany(
                    "INSERT OR IGNORE INTO temp.listed_products VALUES (?)", ((each,) for each in product_ids)
                )
            finally:
                connection.execute("COMMIT")

    def products(self) -> int:
        """How many products the dataset has of its catalogue."""
        images, upserted = self._database.images, self._overrides.upserted
        query = f"SELECT count(DISTINCT item_id) FROM {images} WHERE item_id NOT IN {upserted}"
        with self._database.reading() as connection:
            (count,) = connection.execute(query).fetchone()
        return int(count)

    def not_listed(self) -> list[str]:
        """The products that can be found now and are not listed."""
        return self._gone("SELECT item_id FROM temp.listed_products")

    def unusable(self) -> list[str]:
        """The products that can be found now and of which this run could use no image."""
        return self._gone("SELECT item_id FROM temp.seen WHERE usable")

    def overridden(self) -> int:
        """How many of the products that are listed are as they were put, or stay deleted."""
        query = f"SELECT count(*) FROM temp.listed_products WHERE item_id IN {self._overrides.overridden}"
        with self._database.reading() as connection:
            (count,) = connection.execute(query).fetchone()
        return int(count)

    def _gone(self, staying: str) -> list[str]:
        tables = self._database
        query = (
            f"SELECT DISTINCT item_id FROM {tables.images} AS images WHERE item_id NOT IN {self._overrides.overridden} "
            f"AND item_id NOT IN ({staying}) AND EXISTS "
            f"(SELECT 1 FROM {tables.features} WHERE id = images.image_id || ',000' AND active) ORDER BY item_id"
        )
        with tables.reading() as connection:
            return [item_id for (item_id,) in connection.execute(query)]
