"""One state of a dataset's features, read in blocks: an index of any size is built from it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.images import SIX_VIEWS
from image_similarity.store import codec
from image_similarity.store.changes import last_change
from image_similarity.store.features import IMAGE_OF_ID, FeatureStore, column_of
from image_similarity.store.schema import placeholders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from image_similarity.store.database import Database

ROWS_TOGETHER = 4096  # rows in a block: 4 MB of vectors of 512 numbers
NONE = "{}"  # no attributes, as JSON


@dataclass(frozen=True, slots=True)
class Block:
    """Adjacent rows of a snapshot, column by column.

    ``rowids`` are SQLite's, for :meth:`Snapshot.vectors`. ``attributes`` are the product's, overridden by the image's.
    """

    rowids: NDArray[np.int64]
    image_ids: Sequence[str]
    product_ids: Sequence[str]
    views: Sequence[str]
    digests: Sequence[bytes]
    attributes: Sequence[Mapping[str, str]]


class Snapshot:
    """The active features of one or several models, in some views, at one moment. Made by :func:`take_snapshot`.

    Its rows are the views that have features of every one of the models.
    """

    def __init__(
        self,
        database: Database,
        models: Sequence[str],
        views: Sequence[str],
        products: Iterable[str] | None = None,
        block: int = ROWS_TOGETHER,
    ) -> None:
        store, self._block = FeatureStore(database), block
        self._database, self._connection = database, database.connection
        self._columns = [column_of(model) for model in models]
        self.views = tuple(views)
        self.generation, self.change = database.generation(), last_change(database)
        self.dimensions = [store.dimension(model) for model in models]
        active = " AND ".join(["active", *(f"{column} NOT NULL" for column in self._columns)])
        self._values: tuple[str, ...] = ()
        if products is not None:
            active = f"id IN ({_ids_of_products(database)}) AND {active}"
            self._values = json.dumps(SIX_VIEWS), json.dumps(list(products), ensure_ascii=False)
        counts = dict(
            self._connection.execute(
                f"SELECT view, count(*) FROM {database.features} WHERE {active} GROUP BY view", self._values
            ).fetchall()
        )
        self.available = frozenset(counts)
        """Every view that has features, requested or not."""
        self.count = sum(counts.get(view, 0) for view in self.views)
        if not self.count:
            raise store.not_fitted(next((each for each in models if not store.has(each)), " and ".join(models)))
        self._condition = f"{active} AND view IN ({placeholders(self.views)})"

    def blocks(self) -> Iterator[Block]:
        """All rows, sorted by product, image and view.

        Raises:
            StoreError: the file is damaged.
        """
        with self._database.reading():
            # Only ids are sorted: the rest is looked up a block at a time.
            rows = self._connection.execute(
                f"SELECT rowid, {IMAGE_OF_ID}, item_id, view, digest FROM {self._database.features} "
                f"WHERE {self._condition} ORDER BY 3, 2, 4",
                (*self._values, *self.views),
            )
            of_product, of_image = (
                self._attributes(*place)
                for place in ((self._database.products, "item_id"), (self._database.images, "image_id"))
            )
            while found := rows.fetchmany(self._block):
                rowids, image_ids, product_ids, views, digests = zip(*found, strict=True)
                attributes = [_merged(*both) for both in zip(of_product(product_ids), of_image(image_ids), strict=True)]
                yield Block(np.array(rowids), image_ids, product_ids, views, digests, attributes)

    def vectors(self, rowids: NDArray[np.int64]) -> list[NDArray[np.float16]]:
        """The vectors of some rows of a block: ``(rowids, dimension)`` for each model.

        Raises:
            StoreError: a stored vector is damaged, or the file is.
        """
        query = (
            f"SELECT rowid, {', '.join(self._columns)} FROM {self._database.features} "
            "WHERE rowid IN (SELECT value FROM json_each(?))"
        )
        with self._database.reading():
            rows = self._connection.execute(query, (json.dumps(rowids.tolist()),)).fetchall()
        found, *columns = zip(*rows, strict=True)
        requested_order, found_order = np.argsort(rowids), np.argsort(found)
        vectors = []
        for blobs, dimension in zip(columns, self.dimensions, strict=True):
            read = _decode_all(blobs, dimension)
            ordered = np.empty_like(read)
            ordered[requested_order] = read[found_order]
            vectors.append(ordered)
        return vectors

    def _attributes(self, table: str, key: str) -> Callable[[Sequence[str]], Iterable[str]]:
        """A function that looks up the attributes of ids; no query where the whole table has none."""
        if not self._connection.execute(f"SELECT 1 FROM {table} WHERE attributes != '{NONE}' LIMIT 1").fetchone():
            return lambda ids: [NONE] * len(ids)
        query = f"SELECT {key}, attributes FROM {table} WHERE {key} IN (SELECT value FROM json_each(?))"

        def look_up(ids: Sequence[str]) -> Iterable[str]:
            unique = json.dumps(list(dict.fromkeys(ids)), ensure_ascii=False)
            found = dict(self._connection.execute(query, (unique,)).fetchall())
            return (found.get(each, NONE) for each in ids)

        return look_up


def _decode_all(blobs: Sequence[bytes], dimension: int) -> NDArray[np.float16]:
    for blob in blobs:
        if len(blob) != codec.DTYPE.itemsize * dimension:
            codec.decode(blob, dimension)  # raises
    return np.frombuffer(b"".join(blobs), codec.DTYPE).reshape(len(blobs), dimension)


def _ids_of_products(database: Database) -> str:
    """SQL: the ids of the rows of some products, found by their images, so that no other row is read."""
    return (
        f"SELECT image_id || ',' || views.value FROM {database.images}, json_each(?) AS views "
        "WHERE item_id IN (SELECT value FROM json_each(?))"
    )


@contextmanager
def take_snapshot(
    database: Database,
    models: Sequence[str],
    views: Sequence[str],
    products: Iterable[str] | None = None,
    block: int = ROWS_TOGETHER,
) -> Iterator[Snapshot]:
    """A read transaction over a dataset's features: what other processes write meanwhile is not seen.

    ``products``: only these; None: all. ``block``: rows that are read together.

    Raises:
        NotFittedError: there are no active features of these models in these views.
    """
    with database.reading_one_state():
        yield Snapshot(database, models, views, products, block)


@lru_cache(maxsize=256)  # rows of one product are adjacent
def _parsed(attributes: str) -> Mapping[str, str]:
    loaded: dict[str, str] = json.loads(attributes)
    return loaded


def _merged(of_product: str, of_image: str) -> Mapping[str, str]:
    if of_image == NONE:
        return _parsed(of_product)
    return {**_parsed(of_product), **_parsed(of_image)}
