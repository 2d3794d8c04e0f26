"""A guard against catalogues that were cut short: it limits how many products a run may remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import RemovalError, UsageError
from image_similarity.store.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from image_similarity.store.database import Database

ALWAYS_ALLOWED = 10  # fewer products than this may always be removed
NAMED = 3  # products in the message


@dataclass(frozen=True, slots=True)
class RemovalLimit:
    """The largest share of a dataset's products that one run may remove; None: no limit.

    Raises:
        UsageError: it is not between 0 and 1.
    """

    share: float | None = 0.1

    def __post_init__(self) -> None:
        if self.share is not None and not 0 <= self.share <= 1:
            raise UsageError(f"the share of products that may be removed must be between 0 and 1, not {self.share}")

    def check(self, removed: Sequence[str], products: int, why: Callable[[], str]) -> None:
        """Check how many products a run would remove.

        Args:
            removed: the products that would be removed.
            products: how many there are.
            why: says why they would be removed, and what may be wrong; with its own full stop or question mark.

        Raises:
            RemovalError: they are ten or more, and a larger share than the limit.
        """
        if self.share is None or len(removed) < ALWAYS_ALLOWED or len(removed) <= self.share * products:
            return
        examples = ", ".join(removed[:NAMED])
        raise RemovalError(
            f"{len(removed):,} of {products:,} products would be removed ({examples}, ...): {why()} At most "
            f"{self.share:.0%} may be removed by default; nothing was removed. To remove them, set `allow_removal`"
        )


class ListedProducts:
    """The products that a catalogue lists, kept on disk and compared with those that the dataset has."""

    def __init__(self, database: Database) -> None:
        self._database, self._overrides = database, Overrides(database)
        database.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS listed_products (item_id TEXT PRIMARY KEY) WITHOUT ROWID"
        )
        database.connection.execute("DELETE FROM temp.listed_products")

    def add(self, product_ids: Iterable[str]) -> None:
        """Record products that the catalogue lists."""
        with self._database.reading() as connection:
            connection.execute("BEGIN")  # of the temporary table alone: no other process has to wait for it
            try:
                connection.executemany(
                    "INSERT OR IGNORE INTO temp.listed_products VALUES (?)", ((each,) for each in product_ids)
                )
            finally:
                connection.execute("COMMIT")

    def products(self) -> int:
        """How many products the dataset has from its catalogue: not counting upserted ones."""
        images, upserted = self._database.images, self._overrides.upserted
        query = f"SELECT count(DISTINCT item_id) FROM {images} WHERE item_id NOT IN {upserted}"
        with self._database.reading() as connection:
            (count,) = connection.execute(query).fetchone()
        return int(count)

    def not_listed(self) -> list[str]:
        """The searchable products that the catalogue does not list."""
        return self._searchable_without("SELECT item_id FROM temp.listed_products")

    def unusable(self) -> list[str]:
        """The searchable products of which this run could use no image."""
        return self._searchable_without("SELECT item_id FROM temp.seen WHERE usable")

    def overridden(self) -> int:
        """How many of the listed products were upserted or deleted one by one, so that the catalogue is ignored."""
        query = f"SELECT count(*) FROM temp.listed_products WHERE item_id IN {self._overrides.overridden}"
        with self._database.reading() as connection:
            (count,) = connection.execute(query).fetchone()
        return int(count)

    def _searchable_without(self, kept: str) -> list[str]:
        tables = self._database
        query = (
            f"SELECT DISTINCT item_id FROM {tables.images} AS images WHERE item_id NOT IN {self._overrides.overridden} "
            f"AND item_id NOT IN ({kept}) AND EXISTS "
            f"(SELECT 1 FROM {tables.features} WHERE id = images.image_id || ',000' AND active) ORDER BY item_id"
        )
        with tables.reading() as connection:
            return [item_id for (item_id,) in connection.execute(query)]
