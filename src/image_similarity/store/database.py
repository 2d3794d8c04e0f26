"""One dataset's place in the store's file: the connection, its transactions, its tables' names."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Self

from image_similarity.errors import NotFittedError
from image_similarity.store.schema import complete_dataset, connect, create_dataset, explained, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from image_similarity.dataset import Dataset


def dataset_names(path: Path, timeout: float = 30.0) -> list[str]:
    """The datasets that a store's file has; none where there is no such file.

    Raises:
        StoreError: the file is damaged or locked.
    """
    if not path.exists():
        return []
    with closing(connect(path, timeout)) as connection:
        try:
            return [name for (name,) in connection.execute("SELECT name FROM datasets ORDER BY name")]
        except sqlite3.Error as error:
            raise explained(error, path) from error


class Database:
    """The tables of one dataset. Use it in a ``with`` block.

    Args:
        path: the file ``features.db``.
        dataset: whose tables.
        create: make the file and the tables when they are not there; otherwise that is an error.
        timeout: seconds to wait for another process that writes.

    Raises:
        NotFittedError: ``create`` is off and there is no such dataset.
        StoreError: the file is damaged, locked or full.
        UsageError: the dataset's tables belong to a dataset of another name.
    """

    def __init__(self, path: Path, dataset: Dataset, *, create: bool = False, timeout: float = 30.0) -> None:
        self.path, self.dataset = path, dataset
        if not create and not path.exists():
            raise NotFittedError(f"nothing is fitted yet: there is no {path}. Run fit first")
        self.connection = connect(path, timeout)
        self.features = quoted(dataset.table())
        self.images = quoted(dataset.table("images"))
        self.products = quoted(dataset.table("products"))
        self.failures = quoted(dataset.table("failures"))
        self.changes = quoted(dataset.table("changes"))
        self.requests = quoted(dataset.table("requests"))
        self.overrides = quoted(dataset.table("overrides"))
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
    def one_state_if_fitted(cls, path: Path, dataset: Dataset, timeout: float = 30.0) -> Iterator[Database | None]:
        """The tables of a dataset in one state; None where there are none, as in a workspace of the first version's.

        Raises:
            StoreError: as above.
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
        """One transaction: all of the block, or nothing of it. Inside another one it is a part of that.

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
        """Queries, with SQLite's errors explained."""
        try:
            yield self.connection
        except sqlite3.Error as error:
            raise explained(error, self.path) from error

    @contextmanager
    def reading_one_state(self) -> Iterator[sqlite3.Connection]:
        """Queries that all see the same state, whatever another process writes meanwhile."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def generation(self) -> int:
        """The number of the dataset's present state: whatever was derived from another one is out of date."""
        with self.reading() as connection:
            (generation,) = connection.execute(
                "SELECT generation FROM datasets WHERE name = ?", (self.dataset.name,)
            ).fetchone()
        return int(generation)

    def changed(self) -> None:
        """Say, inside a transaction, that what answers are made of is no longer what it was.

        The number is drawn, not counted: a store that was put back from a copy, or made anew, and changed as often as
        the one before it, must not pass for that one.
        """
        self.connection.execute(
            "UPDATE datasets SET generation = random() WHERE name = ?",
            (self.dataset.name,),
        )

    def _claim(self, create: bool) -> None:
        with self.reading() as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM datasets ORDER BY name")]
        if self.dataset.name in names:
            if create:
                with self.reading() as connection:
                    complete_dataset(connection, self.dataset)
            return
        if not create:
            raise NotFittedError(
                f"the dataset {self.dataset.name} is not fitted (fitted: {', '.join(names) or 'none'}): run fit first"
            )
        with self.writing() as connection:
            create_dataset(connection, self.dataset)
