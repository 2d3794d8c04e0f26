"""The feature store: one row a view, one column a model, in the SQLite table ``features_{DATASET}``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError
from image_similarity.store.overrides import Overrides
from image_similarity.store.schema import placeholders, quoted
from image_similarity.types import CatalogueImage, ModelSpec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from image_similarity.models import Model
    from image_similarity.store.database import Database

KNOWN_CONTENTS = 4096  # image contents in the cache: a megabyte
KEPT_INACTIVE = 1000  # rows of removed images that are always kept
# An id is `image,view`, and no view's code has a comma.
IMAGE_OF_ID = "substr(id, 1, length(id) - length(view) - 1)"


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One view of one image, ready to be stored."""

    image: CatalogueImage
    view: str
    digest: bytes  # of the image file's bytes
    white_background: bool
    vector: bytes  # see codec


class FeatureStore:
    """The features of one dataset. Every method that writes is one transaction, except :meth:`add_row`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._table, self._overrides = database.features, Overrides(database)
        self._known_rows: dict[tuple[str, bytes, str], str] = {}  # model, digest, view: a row with such features

    def add_model(self, spec: ModelSpec) -> None:
        """Add a column for a model's features, unless there is one."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO models VALUES (?, ?, ?, ?)",
                (spec.key, spec.dimension, spec.name, json.dumps(asdict(spec), sort_keys=True)),
            )
            if spec.key not in self.models():
                connection.execute(f"ALTER TABLE {self._table} ADD COLUMN {column_of(spec.key)} BLOB")

    def models(self) -> list[str]:
        """The keys of the models that this dataset has a column for."""
        with self._database.reading() as connection:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({self._table})")]
        return sorted(name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX))

    def has_networks_of(self, model: Model) -> bool:
        """Whether there are features of all of a model's networks, at their precision."""
        return all(self.has(part.spec.key) for part in model.parts if part.is_network)

    def missing(
        self, images: Sequence[tuple[CatalogueImage, bytes]], model_key: str, views: Sequence[str]
    ) -> list[bool]:
        """For each image with its digest, whether any of its views has no features of this model.

        An image whose content is stored under another id gets a copy of those features: nothing is computed twice.
        """
        with self._database.writing() as connection:
            return [self._is_missing(connection, image, digest, model_key, views) for image, digest in images]

    def add(self, rows: Iterable[FeatureRow], model_key: str) -> None:
        """Store features, all or none. Deletes rows of the same image with other content.

        A vector that is stored already is kept: one content has one vector, so that an index may copy it.
        """
        with self._database.writing() as connection:
            self._database.renew_generation()
            for row in rows:
                self.add_row(connection, row, model_key)

    def activate_seen(self) -> None:
        """Activate the rows of usable images that this run saw, deactivate all others, and update product ids.

        Skips images of products that were upserted; products that were deleted meanwhile stay deleted.
        """
        usable = f"({IMAGE_OF_ID} IN (SELECT image_id FROM temp.seen WHERE usable))"
        with self._database.writing() as connection:
            self._update_images(connection)
            switched = connection.execute(
                f"UPDATE {self._table} SET active = {usable} "
                f"WHERE active != {usable} AND {IMAGE_OF_ID} NOT IN {self._overrides.upserted_images}"
            )
            moved = connection.execute(
                f"UPDATE {self._table} SET item_id = images.item_id FROM {self._database.images} AS images "
                f"WHERE images.image_id = {IMAGE_OF_ID} AND {self._table}.item_id != images.item_id"
            )
            if switched.rowcount or moved.rowcount:
                self._database.renew_generation()

    def has(self, model_key: str) -> bool:
        """Whether any active image has features of a model."""
        if model_key not in self.models():
            return False
        with self._database.reading() as connection:
            condition = f"active AND {column_of(model_key)} NOT NULL"
            return connection.execute(f"SELECT 1 FROM {self._table} WHERE {condition} LIMIT 1").fetchone() is not None

    def images_without(
        self, model_key: str, views: Sequence[str], folder: str, after: str, number: int
    ) -> list[tuple[str, str, str]]:
        """Current images whose files are in a folder and that lack features of a model in any of some views.

        Args:
            model_key: of a model that the dataset has a column for.
            views: the views needed.
            folder: only images with a location in it.
            after: an image id; only images with a greater id.
            number: of images at most.

        Returns:
            Image id, product id and location, sorted by the first.
        """
        prefix = f"{folder}{os.sep}"
        ids = ", ".join("image_id || ',' || ?" for _ in views)
        query = (
            f"SELECT image_id, item_id, location FROM {self._database.images} "
            f"WHERE image_id > ? AND substr(location, 1, ?) = ? AND ? > (SELECT count(*) FROM {self._table} "
            f"WHERE id IN ({ids}) AND {column_of(model_key)} NOT NULL) ORDER BY image_id LIMIT ?"
        )
        with self._database.reading() as connection:
            return connection.execute(query, (after, len(prefix), prefix, len(views), *views, number)).fetchall()

    def views(self, model_key: str) -> set[str]:
        """The views for which active images have features of a model."""
        if model_key not in self.models():
            return set()
        with self._database.reading() as connection:
            return {
                view
                for (view,) in connection.execute(
                    f"SELECT DISTINCT view FROM {self._table} WHERE active AND {column_of(model_key)} NOT NULL"
                )
            }

    def _is_missing(
        self,
        connection: sqlite3.Connection,
        image: CatalogueImage,
        digest: bytes,
        model_key: str,
        views: Sequence[str],
    ) -> bool:
        column = column_of(model_key)
        ids = [_row_id(image.image_id, view) for view in views]
        (known,) = connection.execute(
            f"SELECT count(*) FROM {self._table} "
            f"WHERE id IN ({placeholders(ids)}) AND digest = ? AND {column} NOT NULL",
            (*ids, digest),
        ).fetchone()
        if known == len(views):
            return False
        copies = [self._same_content(connection, digest, model_key, view) for view in views]
        if None in copies:
            return True
        self._database.renew_generation()
        for view, copy in zip(views, copies, strict=True):
            if copy is not None:
                self.add_row(connection, FeatureRow(image, view, digest, bool(copy[0]), copy[1]), model_key)
        return False

    def _same_content(
        self, connection: sqlite3.Connection, digest: bytes, model_key: str, view: str
    ) -> tuple[int, bytes] | None:
        """Background and features of any row of the same content; None where there is none."""
        column, content = column_of(model_key), (model_key, digest, view)
        query = f"SELECT white_background, {column}, id FROM {self._table} WHERE {{}} = ? AND {column} NOT NULL"
        row = None
        if (known := self._known_rows.get(content)) is not None:
            row = connection.execute(f"{query.format('id')} AND digest = ?", (known, digest)).fetchone()
        if row is None:
            row = connection.execute(f"{query.format('digest')} AND view = ? LIMIT 1", (digest, view)).fetchone()
        if row is None:
            return None
        if len(self._known_rows) >= KNOWN_CONTENTS:
            self._known_rows.clear()
        self._known_rows[content] = row[2]
        return row[0], row[1]

    def add_row(self, connection: sqlite3.Connection, row: FeatureRow, model_key: str) -> None:
        """Store one row, inside the caller's transaction. The caller renews the generation."""
        image_id, product_id, column = row.image.image_id, row.image.product_id, column_of(model_key)
        active = self._active(connection, row.image)
        if active is None:
            return
        # `-` follows `,` in ASCII: the range holds the rows `image,...`, and those of ids that begin with `image,`.
        connection.execute(
            f"DELETE FROM {self._table} WHERE id >= ? AND id < ? AND {IMAGE_OF_ID} = ? AND digest != ?",
            (f"{image_id},", f"{image_id}-", image_id, row.digest),
        )
        connection.execute(
            f"INSERT INTO {self._table} (id, item_id, view, white_background, active, digest, {column}) "
            f"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
            f"item_id = excluded.item_id, active = excluded.active, "
            f"{column} = coalesce({self._table}.{column}, excluded.{column})",
            (
                _row_id(image_id, row.view),
                product_id,
                row.view,
                int(row.white_background),
                active,
                row.digest,
                row.vector,
            ),
        )

    def _active(self, connection: sqlite3.Connection, image: CatalogueImage) -> bool | None:
        """Whether a new row of an image is active; None: the image now belongs to an upserted product.

        Since a fit read its catalogue, the product may have been upserted or deleted.
        """
        if not self._overrides.among([image.product_id]):
            query = f"SELECT 1 FROM {self._database.images} WHERE image_id = ? AND item_id != ? AND item_id IN "
            taken = connection.execute(query + self._overrides.upserted, (image.image_id, image.product_id)).fetchone()
            return None if taken else True
        query = f"SELECT 1 FROM {self._database.images} WHERE image_id = ? AND item_id = ?"
        return connection.execute(query, (image.image_id, image.product_id)).fetchone() is not None

    def _update_images(self, connection: sqlite3.Connection) -> None:
        """Update the dataset's images by those that a run saw, except those of products upserted or deleted since."""
        images = self._database.images
        connection.execute(
            f"DELETE FROM temp.seen WHERE item_id IN {self._overrides.overridden} "
            f"OR image_id IN {self._overrides.upserted_images}"
        )
        ((differ,),) = connection.execute(
            f"SELECT EXISTS (SELECT 1 FROM temp.seen AS seen JOIN {images} AS images USING (image_id) "
            "WHERE images.attributes != seen.attributes)"
        )
        if differ:
            self._database.renew_generation()
        connection.execute(
            f"INSERT INTO {images} SELECT image_id, item_id, location, attributes FROM temp.seen WHERE true "
            "ON CONFLICT (image_id) DO UPDATE SET item_id = excluded.item_id, location = excluded.location, "
            "attributes = excluded.attributes WHERE (item_id, location, attributes) "
            "!= (excluded.item_id, excluded.location, excluded.attributes)"
        )

    def delete_old_inactive(self) -> None:
        """Delete the oldest features of removed images. As many rows as are active, at least a thousand, are kept.

        An image that returns then needs no embedding.
        """
        table = self._table
        with self._database.writing() as connection:
            ((rows, inactive),) = connection.execute(
                f"SELECT (SELECT count(*) FROM {table}), (SELECT count(*) FROM {table} WHERE active = 0)"
            )
            extra = inactive - max(rows - inactive, KEPT_INACTIVE)
            if extra > 0:
                connection.execute(
                    f"DELETE FROM {table} WHERE rowid IN "
                    f"(SELECT rowid FROM {table} WHERE active = 0 ORDER BY rowid LIMIT ?)",
                    (extra,),
                )

    def dimension(self, model_key: str) -> int:
        """The dimension of a model's vectors.

        Raises:
            NotFittedError: this dataset has no features of the model.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT dimension FROM models WHERE key = ?", (model_key,)).fetchone()
        if row is None or model_key not in self.models():
            raise self.not_fitted(model_key)
        return int(row[0])

    def not_fitted(self, model_key: str) -> NotFittedError:
        """The error for a model of which this dataset has no features, or none of its current images."""
        keys = self.models()
        in_use = keys if model_key not in keys else [each for each in keys if each != model_key and self.has(each)]
        known = ", ".join(in_use) or "none yet"
        name = self._database.dataset.name
        if model_key in keys:
            return NotFittedError(
                f"no image in the dataset {name} has features of {model_key} (there are features of: {known}): "
                "the fit with it broke off, its images were removed or all of them failed. Run fit with that model "
                "again, and see what failures lists"
            )
        return NotFittedError(
            f"the dataset {name} has no features of {model_key} (only of: {known}): run fit with that model first"
        )


PREFIX = "features_"


def column_of(model_key: str) -> str:
    """The column of a model's features, as a quoted SQL identifier."""
    return quoted(PREFIX + model_key)


def _row_id(image_id: str, view: str) -> str:
    return f"{image_id},{view}"
