"""Each product's most similar products under one model: rows of ``features.db``, a pickle and a Parquet file beside it.

The rows answer. The pickle is the first version's dictionary, for its readers; where there are no rows, one that the
first version wrote is read.
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
ROW_GROUP = 10_000  # rows of the Parquet file: memory stays flat, and a reader skips what it does not look for
PIECE = 1000  # products written or removed in one transaction: whoever else writes waits for so many at most
CURRENT = "SELECT max(id) FROM fits WHERE dataset = ? AND model = ? AND finished NOT NULL"


class RecommendationStore:
    """The recommendations of one dataset, under each of its models.

    Args:
        database: the dataset's; None where there is none, as in a workspace of the first version's.
        folder: of the pickles and Parquet files.
        dataset: whose.
    """

    def __init__(self, database: Database | None, folder: Path, dataset: Dataset) -> None:
        self._database, self._folder, self._dataset = database, folder, dataset

    def has(self, key: str) -> bool:
        """Whether there are recommendations of a model, by its key."""
        return self.finished(key) is not None or self._file(key, PICKLE).exists()

    def finished(self, key: str) -> float | None:
        """When a model's recommendations were written, in seconds since 1970; None: never, by this version."""
        if self._database is None:
            return None
        query = f"SELECT finished FROM fits WHERE id = ({CURRENT})"
        with self._database.reading() as connection:
            row = connection.execute(query, (self._dataset.label, key)).fetchone()
        return None if row is None else float(row[0])

    def of(self, key: str) -> Recommendations:
        """A model's recommendations.

        Raises:
            NotFittedError: there are none.
            StoreError: the first version's pickle is damaged.
        """
        if self._database is not None and self.finished(key) is not None:
            return Recommendations(_Rows(self._database, key), self._dataset)
        if not self._file(key, PICKLE).exists():
            raise NotFittedError(
                f"there are no recommendations of {key} for {self._dataset.name} in {self._folder.parent}: "
                "run fit first"
            )
        return Recommendations(_Pickled(self._file(key, PICKLE)), self._dataset)

    def write(self, key: str, answers: Iterable[tuple[str, list[ProductMatch]]]) -> int:
        """Put a model's recommendations in the place of those before: the files, then, in one step, the rows.

        Whatever stops it, the rows are all those of before or all the new ones. One process at a time, as a fit's lock
        sees to: what an earlier one, killed, has half written goes.

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
        # No file takes its place before all are whole.
        with replacing(pickle) as plain, replacing(table) as parquet:
            # A file that is open: Arrow takes no path that is not UTF-8.
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


class _Found(Protocol):
    """One of the two ways to read recommendations."""

    def products(self) -> Iterable[str]: ...

    def by_chance(self) -> str | None: ...

    def similar(self, product_id: str) -> list[ProductMatch] | None: ...


class Recommendations:
    """The recommendations of one model. Every method raises ``StoreError`` where they are damaged."""

    def __init__(self, found: _Found, dataset: Dataset) -> None:
        self._found, self._dataset = found, dataset

    def products(self) -> list[str]:
        """Every product that has some, by id."""
        return sorted(self._found.products())

    def by_chance(self) -> str:
        """One product that has some, each as likely as any other.

        Raises:
            NotFittedError: none has.
        """
        product_id = self._found.by_chance()
        if product_id is None:
            raise NotFittedError(f"no product of {self._dataset.name} has recommendations: run fit first")
        return product_id

    def similar(self, product_id: str) -> list[ProductMatch]:
        """The products most similar to one, best first.

        Raises:
            UsageError: there is no such product; the message has the nearest ids by spelling.
        """
        matches = self._found.similar(product_id)
        if matches is None:
            raise UsageError(
                f"there is no product {product_id!r} in the recommendations of {self._dataset.name}"
                f"{self._hint(product_id)}"
            )
        return matches

    def _hint(self, product_id: str) -> str:
        import difflib

        near = difflib.get_close_matches(product_id, self._found.products(), n=5, cutoff=0.5)
        return f". Did you mean {', '.join(near)}?" if near else ""


class _Rows:
    """The rows of the latest fit that was finished. Memory and time of an answer do not grow with them."""

    def __init__(self, database: Database, key: str) -> None:
        self._database, self._of = database, (database.dataset.label, key)

    def products(self) -> Iterator[str]:
        query = f"SELECT product FROM recommendations WHERE fit = ({CURRENT})"
        with self._database.reading() as connection:
            yield from (product_id for (product_id,) in connection.execute(query, self._of))

    def by_chance(self) -> str | None:
        query = (
            f"SELECT product FROM recommendations, fits WHERE fits.id = ({CURRENT}) AND fit = fits.id "
            "AND number = 1 + CAST(? * products AS INTEGER)"
        )
        with self._database.reading() as connection:
            row = connection.execute(query, (*self._of, _chance())).fetchone()
        return None if row is None else str(row[0])

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        query = f"SELECT matches FROM recommendations WHERE fit = ({CURRENT}) AND product = ?"
        try:
            with self._database.reading() as connection:
                row = connection.execute(query, (*self._of, product_id)).fetchone()
            return None if row is None else _unpack(row[0])
        except UnicodeEncodeError:  # half a character, which no product's id has
            return None
        except (zlib.error, ValueError, TypeError) as error:
            reason = f"the recommendations of {product_id!r} cannot be read ({error})"
            raise damaged(self._database.path, reason) from error


class _Pickled:
    """The first version's dictionary: no scores and no images."""

    def __init__(self, pickle: Path) -> None:
        self._similar = safe_pickle.load(pickle)

    def products(self) -> Iterable[str]:
        return self._similar

    def by_chance(self) -> str | None:
        return list(self._similar)[int(_chance() * len(self._similar))] if self._similar else None

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        if product_id not in self._similar:
            return None
        return [ProductMatch(other, rank, None, "", "") for rank, other in enumerate(self._similar[product_id], 1)]


class _RowWriter:
    """Writes the rows of a new fit in pieces; they answer from :meth:`finish` on, and those before are removed."""

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
        if len(self._rows) >= PIECE:
            self.flush()

    def flush(self) -> None:
        with self._database.writing() as connection:
            connection.executemany("INSERT INTO recommendations VALUES (?, ?, ?, ?)", self._rows)
        self._rows = []

    def finish(self) -> None:
        with self._database.writing() as connection:
            row = (self._count, time.time(), self._fit)
            connection.execute("UPDATE fits SET products = ?, finished = ? WHERE id = ?", row)
        with suppress(StoreError):  # all is done; what cannot be removed now is removed by the next fit
            self._remove_others()

    def _remove_others(self) -> None:
        """The dataset's fits that were not finished, or that a later one has taken the place of."""
        later = "later.dataset = fits.dataset AND later.model = fits.model AND later.id > fits.id AND later.finished"
        query = (
            "SELECT id, (SELECT max(number) FROM recommendations WHERE fit = fits.id) FROM fits WHERE dataset = ? "
            f"AND (finished IS NULL OR EXISTS (SELECT 1 FROM fits AS later WHERE {later}))"
        )
        with self._database.reading() as connection:
            others = connection.execute(query, (self._database.dataset.label,)).fetchall()
        for fit, last in others:
            for upto in range(PIECE, (last or 0) + PIECE, PIECE):
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


def _chance() -> float:
    """A number from 0 to below 1. The module ``random`` takes long to import."""
    return int.from_bytes(os.urandom(6)) / 2**48


def _pack(matches: list[ProductMatch]) -> bytes:
    """Ranks are not kept: they count from 1."""
    rows = [(match.product_id, match.score, match.image_id, match.query_image_id) for match in matches]
    # A third of the size for a fifth more of the time: the ids of one shop's images are much alike.
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def _unpack(packed: bytes) -> list[ProductMatch]:
    rows = json.loads(zlib.decompress(packed))
    return [
        ProductMatch(product_id, rank, score, image_id, query_image_id)
        for rank, (product_id, score, image_id, query_image_id) in enumerate(rows, start=1)
    ]
