"""The catalogue's records, stored beside the features: images, products' texts, failures of the latest runs."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from image_similarity.store.overrides import Overrides
from image_similarity.store.schema import placeholders
from image_similarity.types import CatalogueImage, Failure, Product

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from image_similarity.store.database import Database

Job = Literal["extract", "fit"]


class CatalogueRecords:
    """A dataset's images, products and failures, and the temporary tables of the run that updates them."""

    def __init__(self, database: Database) -> None:
        self._database, self._overrides = database, Overrides(database)
        # A catalogue may be larger than memory, so what a run has seen is kept on disk.
        database.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS seen "
            "(image_id TEXT PRIMARY KEY, item_id TEXT, location TEXT, attributes TEXT, usable INTEGER) WITHOUT ROWID"
        )
        database.connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS listed "
            "(item_id TEXT PRIMARY KEY, title TEXT, description TEXT, attributes TEXT)"
        )

    def claim(self, images: Iterable[CatalogueImage]) -> list[CatalogueImage | None]:
        """Record images that this run has seen. For each, returns the other image that has its id already, or None.

        New images are added to the dataset immediately; known ones are updated at the end of the run.
        """
        with self._database.writing() as connection:
            return [self._claim(connection, image) for image in images]

    def mark_unusable(self, images: Iterable[CatalogueImage]) -> None:
        """Record images of this run that could not be used; their features are deactivated at the end of the run."""
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE temp.seen SET usable = 0 WHERE image_id = ?", ((image.image_id,) for image in images)
            )

    def list_products(self, products: Iterable[Product]) -> None:
        """Record the texts of this run's products."""
        with self._database.reading() as connection:
            connection.execute("BEGIN")  # of the temporary table alone: no other process has to wait for it
            try:
                connection.execute("DELETE FROM temp.listed")
                connection.executemany(
                    "INSERT OR REPLACE INTO temp.listed VALUES (?, ?, ?, ?)",
                    ((p.product_id, p.title, p.description, _json(p.attributes)) for p in products),
                )
            finally:
                connection.execute("COMMIT")

    def delete_unseen(self, products: Iterable[Product] | None = None) -> None:
        """End a run: delete images that it did not see, and replace the products' texts.

        Skips products that were upserted; those that were deleted while it ran stay deleted.

        Args:
            products: as :meth:`list_products` takes them; None: it was called before.
        """
        tables, upserted = self._database, self._overrides.upserted
        if products is not None:
            self.list_products(products)
        with tables.writing() as connection:
            connection.execute(
                f"DELETE FROM {tables.images} "
                f"WHERE image_id NOT IN (SELECT image_id FROM temp.seen) AND item_id NOT IN {upserted}"
            )
            connection.execute(f"DELETE FROM temp.listed WHERE item_id IN {self._overrides.overridden}")
            if self._attributes_differ(connection):
                tables.renew_generation()
            connection.execute(
                f"DELETE FROM {tables.products} WHERE item_id NOT IN {upserted} "
                "AND (item_id, title, description, attributes) NOT IN "
                "(SELECT item_id, title, description, attributes FROM temp.listed)"
            )
            connection.execute(f"INSERT OR IGNORE INTO {tables.products} SELECT * FROM temp.listed")

    def record_failures(self, job: Job, failures: Iterable[Failure]) -> None:
        """Replace the failures of a job by those of its latest run."""
        with self._database.writing() as connection:
            connection.execute(f"DELETE FROM {self._database.failures} WHERE job = ?", (job,))
            connection.executemany(
                f"INSERT INTO {self._database.failures} VALUES (?, ?, ?, ?, ?, ?)",
                ((job, f.stage, f.reason, f.product_id, f.image_id, f.location) for f in failures),
            )

    def product(self, product_id: str) -> Product:
        """A product's texts; empty ones where the catalogue had none."""
        (product,) = self.products([product_id])
        return product

    def products(self, product_ids: Sequence[str]) -> list[Product]:
        """The texts of up to some thousands of products, in their order; see :meth:`product`."""
        query = f"SELECT * FROM {self._database.products} WHERE item_id IN ({placeholders(product_ids)})"
        with self._database.reading() as connection:
            known = {row[0]: row for row in connection.execute(query, product_ids)}
        return [_product(known.get(product_id, (product_id,))) for product_id in product_ids]

    def images_to_show(self, ids: Sequence[tuple[str, str]]) -> list[CatalogueImage | None]:
        """For each product the image with the given id, else its first image, else None; in one query.

        Args:
            ids: up to some thousands of pairs, product id and image id.
        """
        images = self._database.images
        query = (
            f"SELECT image_id, item_id, location, attributes FROM {images} "
            f"WHERE image_id IN ({placeholders(ids)}) OR image_id IN "
            f"(SELECT min(image_id) FROM {images} WHERE item_id IN ({placeholders(ids)}) GROUP BY item_id)"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, [image for _, image in ids] + [product for product, _ in ids])
            found = [_image(row) for row in rows]
        by_id = {image.image_id: image for image in found}
        first: dict[str, CatalogueImage] = {}
        for image in sorted(found, key=lambda each: each.image_id):
            first.setdefault(image.product_id, image)
        return [by_id.get(image_id) or first.get(product_id) for product_id, image_id in ids]

    def image(self, image_id: str) -> CatalogueImage | None:
        """The current image with this id; None where there is none."""
        return self._first("image_id = ?", image_id)

    def first_image(self, product_id: str) -> CatalogueImage | None:
        """The image that represents a product: its first by id."""
        return self._first("item_id = ?", product_id)

    def usable_images_of(self, product_id: str) -> list[CatalogueImage]:
        """A product's images that have active features, by their ids."""
        tables = self._database
        query = (
            f"SELECT images.* FROM {tables.images} AS images WHERE item_id = ? AND EXISTS "
            f"(SELECT 1 FROM {tables.features} WHERE id = images.image_id || ',000' AND active) ORDER BY image_id"
        )
        with tables.reading() as connection:
            return [_image(row) for row in connection.execute(query, (product_id,))]

    def has_product(self, product_id: str) -> bool:
        """Whether the dataset has a product: its texts, or an image of it."""
        tables = self._database
        query = (
            f"SELECT EXISTS (SELECT 1 FROM {tables.images} WHERE item_id = ?1) "
            f"OR EXISTS (SELECT 1 FROM {tables.products} WHERE item_id = ?1)"
        )
        with tables.reading() as connection:
            return bool(connection.execute(query, (product_id,)).fetchone()[0])

    def product_ids(self, prefix: str, after: str, number: int) -> list[str]:
        """The ``number`` ids after ``after``, of products whose id or title begins with ``prefix``, in any case."""
        tables = self._database
        begins = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        some = "ORDER BY item_id LIMIT ?3"  # of each, along its index: the rest is never read
        query = (
            f"SELECT item_id FROM (SELECT DISTINCT item_id FROM {tables.images} "
            f"WHERE item_id > ?1 AND item_id LIKE ?2 ESCAPE '\\' {some}) "
            f"UNION SELECT item_id FROM (SELECT item_id FROM {tables.products} "
            f"WHERE item_id > ?1 AND (item_id LIKE ?2 ESCAPE '\\' OR title LIKE ?2 ESCAPE '\\') {some}) {some}"
        )
        with tables.reading() as connection:
            return [item_id for (item_id,) in connection.execute(query, (after, begins, number))]

    def images_of(self, product_id: str) -> list[CatalogueImage]:
        """A product's images, by their ids."""
        query = f"SELECT * FROM {self._database.images} WHERE item_id = ? ORDER BY image_id"
        with self._database.reading() as connection:
            return [_image(row) for row in connection.execute(query, (product_id,))]

    def files_below(self, folder: str) -> set[str]:
        """The names of current images' files in a folder, given by the end of its path."""
        query = f"SELECT location FROM {self._database.images} WHERE instr(replace(location, '\\', '/'), ?)"
        with self._database.reading() as connection:
            return {PurePath(location).name for (location,) in connection.execute(query, (folder,))}

    def failures(self) -> Iterator[tuple[str, Failure]]:
        """Each failure of the latest runs, with its job."""
        with self._database.reading() as connection:
            for job, stage, reason, product_id, image_id, location in connection.execute(
                f"SELECT * FROM {self._database.failures} ORDER BY job, item_id, image_id"
            ):
                yield job, Failure(stage, reason, product_id, image_id, location)

    def _claim(self, connection: sqlite3.Connection, image: CatalogueImage) -> CatalogueImage | None:
        row = (image.image_id, image.product_id, image.location, _json(image.attributes))
        if not connection.execute("INSERT OR IGNORE INTO temp.seen VALUES (?, ?, ?, ?, 1)", row).rowcount:
            query = "SELECT image_id, item_id, location, attributes FROM temp.seen WHERE image_id = ?"
            return _image(connection.execute(query, (image.image_id,)).fetchone())
        known = self.image(image.image_id)
        if known is None:
            connection.execute(f"INSERT INTO {self._database.images} VALUES (?, ?, ?, ?)", row)
            if image.attributes:
                self._database.renew_generation()
        elif known.product_id != image.product_id and self._overrides.among([known.product_id]):
            connection.execute("DELETE FROM temp.seen WHERE image_id = ?", (image.image_id,))
            return known  # of a product that was upserted
        return None

    def _attributes_differ(self, connection: sqlite3.Connection) -> bool:
        """Whether the listed products have other attributes than the stored ones."""
        stored, listed = (
            f"SELECT item_id, attributes FROM {table} WHERE attributes != '{_json({})}' "
            f"AND item_id NOT IN {self._overrides.upserted}"
            for table in (self._database.products, "temp.listed")
        )
        (differ,) = connection.execute(
            f"SELECT EXISTS ({stored} EXCEPT {listed}) OR EXISTS ({listed} EXCEPT {stored})"
        ).fetchone()
        return bool(differ)

    def _first(self, condition: str, value: str) -> CatalogueImage | None:
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT image_id, item_id, location, attributes FROM {self._database.images} "
                f"WHERE {condition} ORDER BY image_id LIMIT 1",
                (value,),
            ).fetchone()
        return _image(row) if row else None


def _product(row: Sequence[str]) -> Product:
    return Product(row[0], row[1], row[2], json.loads(row[3])) if len(row) > 1 else Product(row[0])


def _image(row: Sequence[str]) -> CatalogueImage:
    return CatalogueImage(row[0], row[1], row[2], json.loads(row[3]))


def _json(attributes: Mapping[str, str]) -> str:
    return json.dumps(dict(attributes), ensure_ascii=False, sort_keys=True)
