"""A catalogue read once into a temporary file, which jobs iterate instead of the catalogue itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from image_similarity.catalogue.remote_tables import fetched_once
from image_similarity.catalogue.sources import failures_of, items_of, notes_of, product_failures_of
from image_similarity.types import CatalogueImage, CatalogueSource, Failure, Product, Progress, no_progress

PROGRESS_EVERY = 1000  # images between two reports of progress
SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE images (position INTEGER PRIMARY KEY, image_id TEXT, product_id TEXT, location TEXT, attributes TEXT);
CREATE TABLE products (position INTEGER PRIMARY KEY, product_id TEXT, title TEXT, description TEXT, attributes TEXT);
BEGIN;
"""


class CatalogueSnapshot:
    """A snapshot of a catalogue that can be iterated any number of times, in a ``with`` block.

    Args:
        source: lists products and images. It is iterated once; its notes are kept as ``notes``.
        progress: reports the number of images read.

    Raises:
        CatalogueError: it cannot be read, or no product of its product table has an image.
        UsageError: a named column does not exist.
    """

    def __init__(self, source: CatalogueSource, progress: Progress = no_progress) -> None:
        self.images, self.has_addresses = 0, False
        # SQLite's empty name is a temporary file that is removed when it is closed or the process is killed.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        try:
            self._database.executescript(SCHEMA)
            with fetched_once():
                self._add(items_of(source), progress)
        except BaseException:
            self._database.close()
            raise
        self.failures: list[Failure] = failures_of(source)
        self.product_failures: list[Failure] = product_failures_of(source)
        self.notes: list[str] = notes_of(source)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def __iter__(self) -> Iterator[CatalogueImage]:
        query = "SELECT image_id, product_id, location, attributes FROM images ORDER BY position"
        for image_id, product_id, location, attributes in self._database.execute(query):
            yield CatalogueImage(image_id, product_id, location, json.loads(attributes))

    def products(self) -> Iterator[Product]:
        query = "SELECT product_id, title, description, attributes FROM products ORDER BY position"
        for product_id, title, description, attributes in self._database.execute(query):
            yield Product(product_id, title, description, json.loads(attributes))

    def _add(self, items: Iterable[CatalogueImage | Product], progress: Progress) -> None:
        for item in items:
            attributes = json.dumps(dict(item.attributes), ensure_ascii=False)
            if isinstance(item, CatalogueImage):
                self.images += 1
                if not self.images % PROGRESS_EVERY:
                    progress("list", self.images)
                self.has_addresses |= item.is_remote
                row = (item.image_id, item.product_id, item.location, attributes)
                self._database.execute(
                    "INSERT INTO images (image_id, product_id, location, attributes) VALUES (?, ?, ?, ?)", row
                )
            else:
                row = (item.product_id, item.title, item.description, attributes)
                self._database.execute(
                    "INSERT INTO products (product_id, title, description, attributes) VALUES (?, ?, ?, ?)", row
                )
