"""Upserts and deletes of single products, each one transaction, and a log of them for the delta index."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from image_similarity.images import SIX_VIEWS
from image_similarity.store.features import FeatureStore
from image_similarity.store.idempotency import IdempotencyLog
from image_similarity.store.overrides import Overrides

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from image_similarity.store.database import Database
    from image_similarity.store.features import FeatureRow
    from image_similarity.store.idempotency import IdempotentRequest
    from image_similarity.types import CatalogueImage, Product

MAX_LOG = 100_000


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """What has changed since an index was built.

    ``products``: those that were upserted or deleted one by one. ``others``: whether anything else changed too, so
    that the index must be rebuilt. ``change``: the number of the latest change included.
    """

    products: frozenset[str]
    others: bool
    change: int


class ProductChanges:
    """Changes the products of one dataset one by one, and logs the changes.

    Args:
        database: the dataset's.
        max_log: changes that the log keeps; an index that is older than all of them must be rebuilt.
    """

    def __init__(self, database: Database, max_log: int = MAX_LOG) -> None:
        self._database, self._max_log = database, max_log
        self._store, self._overrides = FeatureStore(database), Overrides(database)

    def upsert(
        self,
        product: Product,
        images: Sequence[CatalogueImage] | None,
        rows: Mapping[str, Iterable[FeatureRow]],
        once: IdempotentRequest | None = None,
    ) -> bool:
        """Create or replace a product: its texts and, if given, its images.

        Args:
            product: its new texts and attributes.
            images: all of its images; None: it keeps those that it has.
            rows: by model key, the features of all views of these images.
            once: the idempotent request to log with its status: 201 where the product is new, else 200.

        Returns:
            Whether the product is new.

        Raises:
            StoreError: the file is locked, damaged, or the disk is full; nothing is changed then.
        """
        tables = self._database
        with tables.writing() as connection, self._logged(product.product_id):
            known = self._image_ids(connection, product.product_id)
            self._overrides.record(connection, product.product_id, "upserted")
            if images is not None:
                self._switch_off(connection, set(known) - {image.image_id for image in images})
                connection.executemany(
                    f"INSERT OR REPLACE INTO {tables.images} VALUES (?, ?, ?, ?)",
                    ((each.image_id, each.product_id, each.location, _json(each.attributes)) for each in images),
                )
                for key, of_model in rows.items():
                    for row in of_model:
                        self._store.add_row(connection, row, key)
            connection.execute(
                f"INSERT OR REPLACE INTO {tables.products} VALUES (?, ?, ?, ?)",
                (product.product_id, product.title, product.description, _json(product.attributes)),
            )
            if once is not None:
                status = HTTPStatus.OK if known else HTTPStatus.CREATED
                IdempotencyLog(tables).add(connection, replace(once, status=int(status)))
            return not known

    def delete(self, product_id: str, once: IdempotentRequest | None = None) -> bool:
        """Delete a product; False where there is none. ``once``: as for :meth:`upsert`, with status 204.

        Raises:
            StoreError: as :meth:`upsert`.
        """
        tables = self._database
        with tables.writing() as connection:
            known = self._image_ids(connection, product_id)
            if not known and not self._has_texts(connection, product_id):
                return False
            with self._logged(product_id):
                self._switch_off(connection, known)
                self._overrides.record(connection, product_id, "deleted")
                connection.execute(f"DELETE FROM {tables.products} WHERE item_id = ?", (product_id,))
            if once is not None:
                IdempotencyLog(tables).add(connection, replace(once, status=int(HTTPStatus.NO_CONTENT)))
            return True

    def add_features(self, product_id: str, rows: Mapping[str, Iterable[FeatureRow]]) -> bool:
        """Add features, by model key, of a product's current images; False where none of the rows' images is current.

        Raises:
            StoreError: as :meth:`upsert`.
        """
        with self._database.writing() as connection:
            known = set(self._image_ids(connection, product_id))
            current = [(key, row) for key, some in rows.items() for row in some if row.image.image_id in known]
            if current:
                with self._logged(product_id):
                    for key, row in current:
                        self._store.add_row(connection, row, key)
            return bool(current)

    def since(self, change: int, generation: int) -> ChangesSince:
        """What has changed since an index was built at a change and a generation. Call it in a read transaction."""
        query = f"SELECT number, before, after, items FROM {self._database.changes} WHERE number > ? ORDER BY number"
        with self._database.reading() as connection:
            rows = connection.execute(query, (change,)).fetchall()
        at, others = generation, False
        products = set[str]()
        for _, before, after, items in rows:
            others = others or before != at  # another kind of change came between, or the log no longer has it
            at = after
            products.update(json.loads(items))
        others = others or at != self._database.generation()
        return ChangesSince(frozenset(products), others, rows[-1][0] if rows else change)

    def _image_ids(self, connection: sqlite3.Connection, product_id: str) -> list[str]:
        query = f"SELECT image_id FROM {self._database.images} WHERE item_id = ?"
        return [image_id for (image_id,) in connection.execute(query, (product_id,))]

    def _has_texts(self, connection: sqlite3.Connection, product_id: str) -> bool:
        query = f"SELECT 1 FROM {self._database.products} WHERE item_id = ?"
        return connection.execute(query, (product_id,)).fetchone() is not None

    @contextmanager
    def _logged(self, product_id: str) -> Iterator[None]:
        """Log what the block does as one change of one product. Call it inside a transaction."""
        database = self._database
        before = database.generation()
        database.renew_generation()
        yield
        cursor = database.connection.execute(
            f"INSERT INTO {database.changes} (before, after, items) VALUES (?, ?, ?)",
            (before, database.generation(), json.dumps([product_id], ensure_ascii=False)),
        )
        last_dropped = (cursor.lastrowid or 0) - self._max_log
        database.connection.execute(f"DELETE FROM {database.changes} WHERE number <= ?", (last_dropped,))

    def _switch_off(self, connection: sqlite3.Connection, image_ids: Iterable[str]) -> None:
        """Delete images, but keep their features as inactive rows, as for images that leave a catalogue."""
        for image_id in image_ids:
            connection.execute(f"DELETE FROM {self._database.images} WHERE image_id = ?", (image_id,))
            connection.executemany(
                f"UPDATE {self._database.features} SET active = 0 WHERE id = ?",
                ((f"{image_id},{view}",) for view in SIX_VIEWS),
            )


def last_change(database: Database) -> int:
    """The number of the latest change of a dataset; 0 where there was none."""
    (number,) = database.connection.execute(f"SELECT coalesce(max(number), 0) FROM {database.changes}").fetchone()
    return int(number)


def _json(attributes: Mapping[str, str]) -> str:
    return json.dumps(dict(attributes), ensure_ascii=False, sort_keys=True)
