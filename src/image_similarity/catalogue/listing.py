"""The images of one extract, found or not, kept on disk rather than in memory; written as ``listing.csv``."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from image_similarity.catalogue.addresses import DATA
from image_similarity.catalogue.columns import column_key
from image_similarity.types import CatalogueImage, Product
from image_similarity.util.files import replacing

LISTING = "listing.csv"
COLUMNS = ("product_id", "image_id", "image", "title", "description", "address")
PAGE = 500  # rows in memory at a time
SCHEMA = """
CREATE TABLE products (product_id TEXT PRIMARY KEY, title TEXT, description TEXT, attributes TEXT) WITHOUT ROWID;
CREATE TABLE images (
    position INTEGER PRIMARY KEY, image_id TEXT UNIQUE, product_id TEXT, location TEXT, attributes TEXT, file TEXT
);
"""


class Listing:
    """The images of a catalogue in order, each id once, in an unnamed temporary database."""

    def __init__(self) -> None:
        self._attributes: dict[str, None] = {}  # an ordered set
        self._count = 0

    def __enter__(self) -> Self:
        # SQLite's empty name is a temporary file that is removed when it is closed or the process is killed.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + SCHEMA + "BEGIN;")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def __len__(self) -> int:
        return self._count

    def add_product(self, product: Product) -> None:
        """Add a product; the first one with an id is kept."""
        row = (product.product_id, product.title, product.description, self._packed(product.attributes))
        self._database.execute("INSERT OR IGNORE INTO products VALUES (?, ?, ?, ?)", row)

    def add_image(self, image: CatalogueImage) -> CatalogueImage | None:
        """Add an image and return None; if its id is taken, return the image that has it."""
        packed = self._packed(image.attributes)
        cursor = self._database.execute(
            "INSERT OR IGNORE INTO images (image_id, product_id, location, attributes) VALUES (?, ?, ?, ?)",
            (image.image_id, image.product_id, image.location, packed),
        )
        if cursor.rowcount:
            self._count += 1
            return None
        row = self._database.execute(
            "SELECT image_id, product_id, location FROM images WHERE image_id = ?", (image.image_id,)
        ).fetchone()
        return CatalogueImage(*row)

    def product_ids(self) -> set[str]:
        return {each for (each,) in self._database.execute("SELECT DISTINCT product_id FROM images")}

    def images(self) -> Iterator[tuple[int, CatalogueImage]]:
        """The images, each with its position for :meth:`set_file`."""
        after = -1
        # In pages, because rows are updated during the iteration.
        while page := self._database.execute(
            "SELECT position, image_id, product_id, location FROM images WHERE position > ? ORDER BY position LIMIT ?",
            (after, PAGE),
        ).fetchall():
            for after, *row in page:
                yield after, CatalogueImage(*row)

    def has_image(self, image_id: str) -> bool:
        """Whether the catalogue lists an image, found or not."""
        query = "SELECT 1 FROM images WHERE image_id = ?"
        return self._database.execute(query, (image_id,)).fetchone() is not None

    def found_image(self, image_id: str) -> CatalogueImage | None:
        """The image with this id, if its file was found."""
        row = self._database.execute(
            "SELECT image_id, product_id, location FROM images WHERE image_id = ? AND file IS NOT NULL", (image_id,)
        ).fetchone()
        return None if row is None else CatalogueImage(*row)

    def set_file(self, position: int, file: str) -> None:
        """Record an image's file; images without one are not written."""
        self._database.execute("UPDATE images SET file = ? WHERE position = ?", (file, position))

    def write(self, path: Path) -> None:
        """Write the images that were found, with their products, as a table that :class:`TableSource` reads.

        Columns are :data:`COLUMNS`, then the attributes of images and products in order of first appearance; an
        image's attribute overrides its product's of the same name.

        Raises:
            OutputError: it cannot be written; an existing file stays unchanged.
        """
        taken = {column_key(name) for name in COLUMNS}
        attributes = [name for name in self._attributes if column_key(name) not in taken]
        rows = self._database.execute(
            "SELECT product_id, image_id, file, coalesce(title, ''), coalesce(description, ''), location,"
            " coalesce(products.attributes, '{}'), images.attributes"
            " FROM images LEFT JOIN products USING (product_id) WHERE file IS NOT NULL ORDER BY position"
        )
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*COLUMNS, *attributes])
            for *cells, location, of_product, of_image in rows:
                remote = CatalogueImage("", "", location).is_remote and not location.startswith(DATA)
                address = location if remote else ""
                values = json.loads(of_product) | json.loads(of_image)
                writer.writerow([*cells, address, *(values.get(name, "") for name in attributes)])

    def _packed(self, attributes: Mapping[str, str]) -> str:
        self._attributes |= dict.fromkeys(attributes)
        return json.dumps(dict(attributes), ensure_ascii=False)
