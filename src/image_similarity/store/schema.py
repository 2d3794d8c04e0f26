"""The tables of ``features.db`` and their migrations. docs/storage.md describes every byte."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from image_similarity.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from image_similarity.dataset import Dataset

    Steps = Sequence[tuple[str, Callable[[sqlite3.Connection], None]]]

SHARED = """
CREATE TABLE datasets (
    label TEXT PRIMARY KEY COLLATE NOCASE,  -- SQLite's table names do not tell capitals apart
    name TEXT NOT NULL UNIQUE,
    generation INTEGER NOT NULL
);
CREATE TABLE models (
    key TEXT PRIMARY KEY,
    dimension INTEGER NOT NULL,
    name TEXT NOT NULL,
    spec TEXT NOT NULL                      -- JSON
);
CREATE TABLE fits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dataset TEXT NOT NULL,                  -- its label
    model TEXT NOT NULL,
    products INTEGER NOT NULL DEFAULT 0,
    finished REAL                           -- seconds since 1970; NULL: its recommendations are not whole
);
CREATE TABLE recommendations (
    fit INTEGER NOT NULL,
    number INTEGER NOT NULL,                -- from 1
    product TEXT NOT NULL,
    matches BLOB NOT NULL,                  -- JSON, deflated: product, score, its image, the product's image
    PRIMARY KEY (fit, number),
    UNIQUE (fit, product)
);
CREATE TABLE jobs (                         -- bulk imports
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    dataset TEXT NOT NULL,                  -- its label
    state TEXT NOT NULL DEFAULT 'queued',
    total INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL,
    repaired INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL,                    -- JSON
    reason TEXT NOT NULL DEFAULT '',
    created TEXT NOT NULL,
    finished TEXT
);
CREATE TABLE job_products (                 -- that are still to be put
    job INTEGER NOT NULL,
    position INTEGER NOT NULL,
    body TEXT NOT NULL,                     -- JSON, as it was sent
    PRIMARY KEY (job, position)
);
CREATE TABLE job_failures (
    job INTEGER NOT NULL,
    product_id TEXT NOT NULL,
    image TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX failures_of_jobs ON job_failures (job)"""

PER_DATASET = """
CREATE TABLE {features} (
    id TEXT PRIMARY KEY,
    item_id TEXT NOT NULL,
    view TEXT NOT NULL,
    white_background INTEGER NOT NULL,
    active INTEGER NOT NULL,
    digest BLOB NOT NULL
);
CREATE INDEX {digest} ON {features} (digest);
CREATE INDEX {inactive} ON {features} (active) WHERE active = 0;
CREATE TABLE {images} (
    image_id TEXT PRIMARY KEY,
    item_id TEXT NOT NULL,
    location TEXT NOT NULL,
    attributes TEXT NOT NULL                -- JSON
);
CREATE INDEX {images_by_product} ON {images} (item_id, image_id);
CREATE TABLE {products} (
    item_id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    attributes TEXT NOT NULL                -- JSON
);
CREATE TABLE {failures} (
    job TEXT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT NOT NULL,
    item_id TEXT NOT NULL,
    image_id TEXT NOT NULL,
    location TEXT NOT NULL
);
CREATE TABLE {changes} (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    before INTEGER NOT NULL,                -- the dataset's generation
    after INTEGER NOT NULL,
    items TEXT NOT NULL                     -- JSON: the products that changed
);
CREATE TABLE {requests} (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,               -- of its sender's choice
    digest BLOB NOT NULL,
    status INTEGER NOT NULL,
    at REAL NOT NULL,                       -- seconds since 1970
    repaired INTEGER NOT NULL
);
CREATE TABLE {overrides} (
    item_id TEXT PRIMARY KEY,
    state TEXT NOT NULL                     -- upserted, or deleted since the latest fit began
) WITHOUT ROWID"""
KINDS = (
    *("features", "digest", "inactive", "images", "images_by_product", "products", "failures", "changes", "requests"),
    "overrides",
)


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):  # executescript would end the transaction
        connection.execute(statement)


def _shared_tables(connection: sqlite3.Connection) -> None:
    _run(connection, SHARED)


MIGRATIONS: Steps = (("shared tables", _shared_tables),)
"""Every migration, in order. One that was released is never changed: any change of the tables is a new migration, also
of the tables of each dataset, which it finds in ``datasets``."""


def applied(connection: sqlite3.Connection) -> list[str]:
    """The names of the migrations that a database has had; none where it is no store yet."""
    try:
        return [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY rowid")]
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise


def migrate(connection: sqlite3.Connection, path: Path, steps: Steps = MIGRATIONS) -> None:
    """Run the migrations that a database has not had, all or none.

    Raises:
        StoreError: it has had migrations that this version does not know.
    """
    names = [name for name, _ in steps]
    if (done := applied(connection)) == names:
        return
    if set(done) - set(names):
        raise StoreError(f"{path} was written by a later version of image-similarity: upgrade the package to read it")
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL UNIQUE, at TEXT NOT NULL)")
        done = applied(connection)  # another process may have been faster
        for name, step in steps:
            if name not in done:
                step(connection)
                connection.execute("INSERT INTO migrations VALUES (?, datetime('now'))", (name,))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def create_dataset(connection: sqlite3.Connection, dataset: Dataset) -> None:
    """Create a dataset's tables, unless they exist. Call it inside a transaction.

    Raises:
        UsageError: the tables belong to a dataset of another name (``Shoes`` and ``shoes``; ``7`` and department 7).
    """
    row = connection.execute("SELECT name FROM datasets WHERE label = ?", (dataset.label,)).fetchone()
    if row is not None:
        if row[0] != dataset.name:
            raise UsageError(
                f"the dataset {dataset.name!r} would share the table {dataset.table()} with the dataset {row[0]!r}: "
                "choose another name"
            )
        return
    former = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
    if connection.execute(former, (dataset.table(),)).fetchone():
        # The first version's table does not say which image content its vectors are of, so they are computed again.
        aside = quoted(dataset.table("first_version_features"))
        connection.execute(f"ALTER TABLE {quoted(dataset.table())} RENAME TO {aside}")
    connection.execute("INSERT INTO datasets VALUES (?, ?, random())", (dataset.label, dataset.name))
    _run(connection, PER_DATASET.format_map(tables(dataset)))


def tables(dataset: Dataset) -> dict[str, str]:
    """The names of a dataset's tables as quoted SQL identifiers, by kind."""
    names = {kind: dataset.table(kind) for kind in KINDS}
    return {kind: quoted(name) for kind, name in names.items()}


def quoted(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def placeholders(values: Sequence[object]) -> str:
    """One ``?`` for each value, for an SQL ``IN (...)``."""
    return ", ".join("?" * len(values))
