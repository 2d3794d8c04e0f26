"""Each product's most similar products under one model: in ``features.db``, a pickle and a Parquet file.

They are read from ``features.db``. The pickle is the first version's dictionary, written for its readers; it is read
only where ``features.db`` has no rows, as in a workspace of the first version's.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from image_similarity.errors import NotFittedError, StoreError, UsageError
from image_similarity.store import safe_pickle
from image_similarity.store.database import damaged
from image_similarity.types import ProductMatch
from image_similarity.util.files import remove_leftovers_of, replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.store.database import Database

COLUMNS = ("product", "similar_product", "rank", "score", "image", "similar_image")
PICKLE, TABLE = ".pickle", ".parquet"
ROW_GROUP = 10_000  # rows of the Parquet file: memory stays flat, and a reader skips the groups that it does not need
BATCH = 1000  # products written or removed in one transaction: another writer waits for no more than these
CURRENT = "SELECT max(id) FROM fits WHERE dataset = ? AND model = ? AND finished NOT NULL"


class RecommendationStore:
    """The recommendations of one dataset, under each of its models.

    Args:
        database: the dataset's; None where there is none, as in a workspace of the first version's.
        folder: of the pickles and Parquet files.
        dataset: its names are in the files' names.
    """

    def __init__(self, database: Database | None, folder: Path, dataset: Dataset) -> None:
        self._database, self._folder, self._dataset = database, folder, dataset

    def has(self, key: str) -> bool:
        """Whether there are recommendations of the model with this key."""
        return self.finished(key) is not None or self._file(key, PICKLE).exists()

    def finished(self, key: str) -> float | None:
        """When a model's recommendations were written, in seconds since 1970; None: not by this version."""
        if self._database is None:
            return None
        query = f"SELECT finished FROM fits WHERE id = ({CURRENT})"
        with self._database.reading() as connection:
            row = connection.execute(query, (self._dataset.label, key)).fetchone()
        return None if row is None else float(row[0])

    def of(self, key: str) -> Recommendations:
        """The recommendations of the model with this key.

        Raises:
            NotFittedError: there are none.
            StoreError: the first version's pickle is damaged.
        """
        if self._database is not None and self.finished(key) is not None:
            return Recommendations(_RowReader(self._database, key), self._dataset)
        if not self._file(key, PICKLE).exists():
            raise NotFittedError(
                f"there are no recommendations of {key} for {self._dataset.name} in {self._folder.parent}: "
                "run fit first"
            )
        return Recommendations(_PickleReader(self._file(key, PICKLE)), self._dataset)

    def write(self, key: str, answers: Iterable[tuple[str, list[ProductMatch]]]) -> int:
        """Replace a model's recommendations: first the files, then, atomically, the rows.

        If it is stopped, the rows are all the old or all the new ones. Only one process at a time may call this, which
        a fit's lock ensures: it removes what an earlier, killed process has left.

        Args:
            key: of the model.
            answers: each product with its similar products, best first.

        Returns:
            The number of products.

        Raises:
            NotFittedError: there is no database.
            OutputError, StoreError: something cannot be written.
        """
        if self._database is None:
            raise NotFittedError(f"{self._dataset.name} is not fitted: run fit first")
        similar: dict[str, list[str]] = {}
        pickle, table = self._file(key, PICKLE), self._file(key, TABLE)
        remove_leftovers_of(pickle)
        remove_leftovers_of(table)
        rows = _RowWriter(self._database, key)
        # Neither file is renamed before both are complete.
        with replacing(pickle) as plain, replacing(table) as parquet:
            # An open file: Arrow accepts only paths in UTF-8.
            with parquet.open("wb") as opened, _ParquetWriter(opened) as columns:
                for product_id, matches in answers:
                    similar[product_id] = [match.product_id for match in matches]
                    columns.add(product_id, matches)
                    rows.add(product_id, matches)
                columns.flush()
            rows.flush()
            plain.write_bytes(safe_pickle.dumps(similar))
        rows.finish()
        return len(similar)

    def _file(self, key: str, ending: str) -> Path:
        return self._folder / f"{self._dataset.recommendations(key)}{ending}"


class _Reader(Protocol):
    """Reads recommendations, from the store or from the pickle."""

    def products(self) -> Iterable[str]: ...

    def random_product(self) -> str | None: ...

    def similar(self, product_id: str) -> list[ProductMatch] | None: ...


class Recommendations:
    """The recommendations of one model. Every method raises ``StoreError`` where they are damaged."""

    def __init__(self, reader: _Reader, dataset: Dataset) -> None:
        self._reader, self._dataset = reader, dataset

    def products(self) -> list[str]:
        """The ids of all products with recommendations, sorted."""
        return sorted(self._reader.products())

    def random_product(self) -> str:
        """A random product with recommendations, all equally likely.

        Raises:
            NotFittedError: there is none.
        """
        product_id = self._reader.random_product()
        if product_id is None:
            raise NotFittedError(f"no product of {self._dataset.name} has recommendations: run fit first")
        return product_id

    def similar(self, product_id: str) -> list[ProductMatch]:
        """The products most similar to one, best first.

        Raises:
            UsageError: there is no such product; the message suggests ids with a similar spelling.
        """
        matches = self._reader.similar(product_id)
        if matches is None:
            raise UsageError(
                f"there is no product {product_id!r} in the recommendations of {self._dataset.name}"
                f"{self._hint(product_id)}"
            )
        return matches

    def _hint(self, product_id: str) -> str:
        import difflib

        near = difflib.get_close_matches(product_id, self._reader.products(), n=5, cutoff=0.5)
        return f". Did you mean {', '.join(near)}?" if near else ""


class _RowReader:
    """Reads the rows of the latest finished fit. Memory and time of a look-up do not grow with them."""

    def __init__(self, database: Database, key: str) -> None:
        self._database, self._of = database, (database.dataset.label, key)

    def products(self) -> Iterator[str]:
        query = f"SELECT product FROM recommendations WHERE fit = ({CURRENT})"
        with self._database.reading() as connection:
            yield from (product_id for (product_id,) in connection.execute(query, self._of))

    def random_product(self) -> str | None:
        query = (
            f"SELECT product FROM recommendations, fits WHERE fits.id = ({CURRENT}) AND fit = fits.id "
            "AND number = 1 + CAST(? * products AS INTEGER)"
        )
        with self._database.reading() as connection:
            row = connection.execute(query, (*self._of, _random())).fetchone()
        return None if row is None else str(row[0])

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        query = f"SELECT matches FROM recommendations WHERE fit = ({CURRENT}) AND product = ?"
        try:
            with self._database.reading() as connection:
                row = connection.execute(query, (*self._of, product_id)).fetchone()
            return None if row is None else _unpack(row[0])
        except UnicodeEncodeError:  # half of a surrogate pair, which no product's id has
            return None
        except (zlib.error, ValueError, TypeError) as error:
            reason = f"the recommendations of {product_id!r} cannot be read ({error})"
            raise damaged(self._database.path, reason) from error


class _PickleReader:
    """Reads the first version's dictionary, which has no scores and no images."""

    def __init__(self, pickle: Path) -> None:
        self._similar = safe_pickle.load(pickle)

    def products(self) -> Iterable[str]:
        return self._similar

    def random_product(self) -> str | None:
        return list(self._similar)[int(_random() * len(self._similar))] if self._similar else None

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        if product_id not in self._similar:
            return None
        return [ProductMatch(other, rank, None, "", "") for rank, other in enumerate(self._similar[product_id], 1)]


class _RowWriter:
    """Writes the rows of a new fit in batches. :meth:`finish` puts them in use and removes the earlier fit's."""

    def __init__(self, database: Database, key: str) -> None:
        self._database, self._count = database, 0
        self._rows: list[tuple[int, int, str, bytes]] = []
        self._remove_others()
        with database.writing() as connection:
            cursor = connection.execute(
                "INSERT INTO fits (dataset, model) VALUES (?, ?)", (database.dataset.label, key)
            )
            self._fit = cursor.lastrowid or 0

    def add(self, product_id: str, matches: list[ProductMatch]) -> None:
        self._count += 1
        self._rows.append((self._fit, self._count, product_id, _pack(matches)))
        if len(self._rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        with self._database.writing() as connection:
            connection.executemany("INSERT INTO recommendations VALUES (?, ?, ?, ?)", self._rows)
        self._rows = []

    def finish(self) -> None:
        with self._database.writing() as connection:
            row = (self._count, time.time(), self._fit)
            connection.execute("UPDATE fits SET products = ?, finished = ? WHERE id = ?", row)
        with suppress(StoreError):  # what cannot be removed now is removed by the next fit
            self._remove_others()

    def _remove_others(self) -> None:
        """Remove the dataset's fits that are unfinished or replaced by a later one."""
        later = "later.dataset = fits.dataset AND later.model = fits.model AND later.id > fits.id AND later.finished"
        query = (
            "SELECT id, (SELECT max(number) FROM recommendations WHERE fit = fits.id) FROM fits WHERE dataset = ? "
            f"AND (finished IS NULL OR EXISTS (SELECT 1 FROM fits AS later WHERE {later}))"
        )
        with self._database.reading() as connection:
            others = connection.execute(query, (self._database.dataset.label,)).fetchall()
        for fit, last in others:
            for upto in range(BATCH, (last or 0) + BATCH, BATCH):
                with self._database.writing() as connection:
                    connection.execute("DELETE FROM recommendations WHERE fit = ? AND number <= ?", (fit, upto))
            with self._database.writing() as connection:
                connection.execute("DELETE FROM fits WHERE id = ?", (fit,))


class _ParquetWriter:
    """Writes the Parquet file, a group of rows at a time."""

    def __init__(self, file: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        texts = pa.string()
        types = (texts, texts, pa.int32(), pa.float32(), texts, texts)
        self._schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
        self._writer = pq.ParquetWriter(file, self._schema, write_page_checksum=True)
        self._rows: list[tuple[object, ...]] = []

    def __enter__(self) -> _ParquetWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.close()

    def add(self, product_id: str, matches: list[ProductMatch]) -> None:
        self._rows += [(product_id, m.product_id, m.rank, m.score, m.query_image_id, m.image_id) for m in matches]
        if len(self._rows) >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            columns = zip(zip(*self._rows, strict=True), self._schema, strict=True)
            arrays = [pa.array(values, field.type) for values, field in columns]
            self._writer.write_batch(pa.record_batch(arrays, self._schema), row_group_size=len(self._rows))
        self._rows = []


def _random() -> float:
    """A random number from 0 to below 1. The module ``random`` takes long to import."""
    return int.from_bytes(os.urandom(6)) / 2**48


def _pack(matches: list[ProductMatch]) -> bytes:
    """Encode matches as compressed JSON, without their ranks, which count from 1."""
    rows = [(match.product_id, match.score, match.image_id, match.query_image_id) for match in matches]
    # Compression takes a fifth more time for a third of the size: the ids of one shop's images are much alike.
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def _unpack(packed: bytes) -> list[ProductMatch]:
    rows = json.loads(zlib.decompress(packed))
    return [
        ProductMatch(product_id, rank, score, image_id, query_image_id)
        for rank, (product_id, score, image_id, query_image_id) in enumerate(rows, start=1)
    ]
