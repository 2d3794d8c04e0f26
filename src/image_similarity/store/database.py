"""Access to one dataset in the store's file: connection, transactions, table names."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Self

from image_similarity.errors import ImageSimilarityError, NotFittedError, StoreError
from image_similarity.store.schema import applied, create_dataset, migrate, tables
from image_similarity.util.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from image_similarity.dataset import Dataset

BUSY = "locked", "busy"
FULL = "full", "disk i/o error"
OUT_OF_REACH = "unable to open", "readonly"


def dataset_names(path: Path, timeout: float = 30.0) -> list[str]:
    """The names of all datasets in a store's file, sorted; none where there is no such file.

    Raises:
        StoreError: the file is damaged or locked.
    """
    try:
        opened = connect(path, timeout, create=False)
    except NotFittedError:
        return []
    with closing(opened) as connection:
        try:
            return [name for (name,) in connection.execute("SELECT name FROM datasets ORDER BY name")]
        except sqlite3.Error as error:
            raise explained(error, path) from error


class Database:
    """The tables of one dataset. Use it in a ``with`` block.

    Args:
        path: the file ``features.db``.
        dataset: the dataset to open.
        create: create the file and the tables where they are missing; otherwise that is an error.
        timeout: seconds to wait for another process that writes.
        shared: allow several threads to use it, one at a time.

    Raises:
        NotFittedError: ``create`` is off and there is no such dataset.
        StoreError: the file is damaged, locked or full.
        UsageError: the dataset's tables belong to a dataset of another name.
    """

    def __init__(
        self, path: Path, dataset: Dataset, *, create: bool = False, timeout: float = 30.0, shared: bool = False
    ) -> None:
        self.path, self.dataset = path, dataset
        self.connection = connect(path, timeout, create=create, shared=shared)
        names = tables(dataset)
        self.features, self.images, self.products = names["features"], names["images"], names["products"]
        self.failures, self.changes = names["failures"], names["changes"]
        self.requests, self.overrides = names["requests"], names["overrides"]
        try:
            self._claim(create)
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    @classmethod
    @contextmanager
    def open_if_fitted(cls, path: Path, dataset: Dataset, timeout: float = 30.0) -> Iterator[Database | None]:
        """A dataset in a read transaction; None where it has no tables, as in a workspace of the first version's.

        Raises:
            StoreError: the file is damaged or locked.
        """
        try:
            database = cls(path, dataset, timeout=timeout)
        except NotFittedError:
            yield None
            return
        with database, database.reading_one_state():
            yield database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction. Inside another transaction, the block becomes part of that one.

        Raises:
            StoreError: the file is locked, damaged, or the disk is full.
        """
        is_part = self.connection.in_transaction
        if is_part:
            with self.reading() as connection:
                yield connection
            return
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run queries, with SQLite's errors turned into ``StoreError``."""
        try:
            yield self.connection
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    @contextmanager
    def reading_one_state(self) -> Iterator[sqlite3.Connection]:
        """Run queries in a read transaction: all see the same state, whatever another process writes meanwhile."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def generation(self) -> int:
        """The number of the dataset's present state. What was derived from another generation is out of date."""
        with self.reading() as connection:
            (generation,) = connection.execute(
                "SELECT generation FROM datasets WHERE name = ?", (self.dataset.name,)
            ).fetchone()
        return int(generation)

    def renew_generation(self) -> None:
        """Give the dataset a new generation, inside a transaction that changes anything that search results depend on.

        The number is random, not counted: a store that was restored from a copy, or created again, and changed as
        often as the one before it, must not be taken for that one.
        """
        self.connection.execute(
            "UPDATE datasets SET generation = random() WHERE name = ?",
            (self.dataset.name,),
        )

    def _claim(self, create: bool) -> None:
        with self.reading() as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM datasets ORDER BY name")]
        if self.dataset.name in names:
            return
        if not create:
            raise NotFittedError(
                f"the dataset {self.dataset.name} is not fitted (fitted: {', '.join(names) or 'none'}): run fit first"
            )
        with self.writing() as connection:
            create_dataset(connection, self.dataset)


def connect(path: Path, timeout: float, *, create: bool, shared: bool = False) -> sqlite3.Connection:
    """Open the store's file and migrate it; with ``create``, create it. ``shared``: threads may use it in turn."""
    if not create and not path.exists():
        raise NotFittedError(f"nothing is fitted yet: there is no {path}. Run fit first")
    try:
        make_folder(path.parent)
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=not shared)
    except (OSError, sqlite3.Error) as error:
        raise explained(error, path) from error
    try:
        _refuse_foreign(connection, path, create=create)
        connection.execute("PRAGMA journal_mode = WAL")  # readers go on while a fit writes
        connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if _is_read_only(error, path):
            return _connect_immutable(path, create=create, shared=shared)
        raise explained(error, path) from error
    except ImageSimilarityError:
        connection.close()
        raise
    return connection


def _refuse_foreign(connection: sqlite3.Connection, path: Path, *, create: bool) -> None:
    """Reading must not migrate the first version's own file, or one without any table."""
    if not create and not applied(connection):
        raise NotFittedError(f"nothing is fitted yet: {path} has no dataset. Run fit first")


def _is_read_only(error: sqlite3.Error, path: Path) -> bool:
    """Whether only writing to the file failed, and the file is complete without its write-ahead log."""
    log = path.with_name(f"{path.name}-wal")
    not_writable = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
    return not_writable and path.is_file() and not (log.exists() and log.stat().st_size)


def _connect_immutable(path: Path, *, create: bool, shared: bool) -> sqlite3.Connection:
    """Open a store that cannot be written, without the files that SQLite would create beside it."""
    connection = None
    try:
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=not shared)
        _refuse_foreign(connection, path, create=create)
        migrate(connection, path)
    except (sqlite3.Error, ImageSimilarityError) as error:
        if connection is not None:
            connection.close()
        raise explained(error, path) if isinstance(error, sqlite3.Error) else error from error
    return connection


def explained(error: Exception, path: Path) -> StoreError:
    """Turn an error of SQLite or the system into one that says what to do."""
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    lowered = reason.lower()
    if any(word in lowered for word in BUSY):
        return StoreError(f"{path} is locked: another process writes to it. Wait for it to end, then run this again")
    if any(word in lowered for word in FULL):
        return StoreError(f"{path} cannot grow: the disk is full. Everything stored before is kept; free some space")
    if isinstance(error, OSError) or any(word in lowered for word in OUT_OF_REACH):
        return StoreError(f"{path} cannot be opened: {reason}. Its folder must be a folder, and not read-only")
    if "not a database" in lowered or "malformed" in lowered:
        return damaged(path, reason)
    return StoreError(f"{path}: {reason}")


def damaged(path: Path, reason: str) -> StoreError:
    """The error for a store whose content is invalid."""
    return StoreError(f"{path} is damaged or not a feature store: {reason}. Move it away and fit again")
