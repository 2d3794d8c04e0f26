"""The tables of ``features.db`` and the numbered steps that lead to them. docs/storage.md describes every byte."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from image_similarity.errors import StoreError, UsageError
from image_similarity.util.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from image_similarity.dataset import Dataset

BUSY = "locked", "busy"
FULL = "full", "disk i/o error"
OUT_OF_REACH = "unable to open", "readonly"

# One more step is one more entry; a database knows how many it has had (PRAGMA user_version).
STEPS = (
    """
    CREATE TABLE datasets (
        label TEXT PRIMARY KEY COLLATE NOCASE,  -- SQLite's table names do not tell capitals apart
        name TEXT NOT NULL UNIQUE
    );
    CREATE TABLE models (
        key TEXT PRIMARY KEY,
        dimension INTEGER NOT NULL,
        name TEXT NOT NULL,
        spec TEXT NOT NULL                      -- JSON
    );
    """,
    """
    ALTER TABLE datasets ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
    UPDATE datasets SET generation = random();
    """,
    """
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
    """,
)


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def marks(values: Sequence[object]) -> str:
    """As many question marks as there are values."""
    return ", ".join("?" * len(values))


def connect(path: Path, timeout: float) -> sqlite3.Connection:
    """Open the store's file, made and brought up to date when necessary.

    Raises:
        StoreError: it is no database, locked, or from a later version of this package.
    """
    try:
        make_folder(path.parent)
        connection = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise explained(error, path) from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # readers go on while a fit writes
        connection.execute("PRAGMA synchronous = FULL")  # what was answered survives a power cut
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if _only_readable(error, path):
            return _unchanging(path)
        raise explained(error, path) from error
    except StoreError:
        connection.close()
        raise
    return connection


def _only_readable(error: sqlite3.Error, path: Path) -> bool:
    """Whether the file can be read and is whole without its log, and only writing to it went wrong."""
    log = path.with_name(f"{path.name}-wal")
    is_kept = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
    return is_kept and path.is_file() and not (log.exists() and log.stat().st_size)


def _unchanging(path: Path) -> sqlite3.Connection:
    """A store that cannot be written, to be read without the files that SQLite wants beside it."""
    connection = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
        _migrate(connection, path)
    except (sqlite3.Error, StoreError) as error:
        if connection is not None:
            connection.close()
        raise error if isinstance(error, StoreError) else explained(error, path) from error
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == len(STEPS):
        return
    if version > len(STEPS):
        raise StoreError(f"{path} was written by a later version of image-similarity: upgrade the package to read it")
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()  # another process may have been faster
        for step in STEPS[version:]:
            for statement in step.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def create_dataset(connection: sqlite3.Connection, dataset: Dataset) -> None:
    """Make a dataset's tables, once. To be called inside a transaction.

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
    connection.execute("INSERT INTO datasets VALUES (?, ?, random())", (dataset.label, dataset.name))
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            f"""CREATE TABLE {quoted(dataset.table())} (
                id TEXT PRIMARY KEY,
                item_id TEXT NOT NULL,
                view TEXT NOT NULL,
                white_background INTEGER NOT NULL,
                active INTEGER NOT NULL,
                digest BLOB NOT NULL
            )"""
        )
        cursor.execute(f"CREATE INDEX {quoted(dataset.table('digest'))} ON {quoted(dataset.table())} (digest)")
        cursor.execute(
            f"""CREATE TABLE {quoted(dataset.table("images"))} (
                image_id TEXT PRIMARY KEY,
                item_id TEXT NOT NULL,
                location TEXT NOT NULL,
                attributes TEXT NOT NULL
            )"""
        )
        cursor.execute(
            f"""CREATE TABLE {quoted(dataset.table("products"))} (
                item_id TEXT PRIMARY KEY,
                title TEXT NOT NULL,
                description TEXT NOT NULL,
                attributes TEXT NOT NULL
            )"""
        )
        cursor.execute(
            f"""CREATE TABLE {quoted(dataset.table("failures"))} (
                job TEXT NOT NULL,
                stage TEXT NOT NULL,
                reason TEXT NOT NULL,
                item_id TEXT NOT NULL,
                image_id TEXT NOT NULL,
                location TEXT NOT NULL
            )"""
        )
    complete_dataset(connection, dataset)


def complete_dataset(connection: sqlite3.Connection, dataset: Dataset) -> None:
    """Make what datasets of earlier versions lack: it can be made at any time, and again."""
    name, table = quoted(dataset.table("pictures")), quoted(dataset.table("images"))
    # A product's pictures, without reading all.
    connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} (item_id, image_id)")
    connection.execute(
        f"""CREATE TABLE IF NOT EXISTS {quoted(dataset.table("changes"))} (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            before INTEGER NOT NULL,            -- the dataset's generation
            after INTEGER NOT NULL,
            items TEXT NOT NULL                 -- JSON: the products that changed
        )"""
    )
    connection.execute(
        f"""CREATE TABLE IF NOT EXISTS {quoted(dataset.table("requests"))} (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,           -- of its sender's choice
            digest BLOB NOT NULL,
            status INTEGER NOT NULL,
            at REAL NOT NULL,                   -- seconds since 1970
            repaired INTEGER NOT NULL DEFAULT 0
        )"""
    )
    requests = quoted(dataset.table("requests"))
    if "repaired" not in [column for _, column, *_ in connection.execute(f"PRAGMA table_info({requests})")]:
        connection.execute(f"ALTER TABLE {requests} ADD COLUMN repaired INTEGER NOT NULL DEFAULT 0")
    overrides, features = dataset.table("overrides"), dataset.table()
    if not _is_there(connection, overrides):
        connection.execute(
            f"""CREATE TABLE IF NOT EXISTS {quoted(overrides)} (
                item_id TEXT PRIMARY KEY,
                state TEXT NOT NULL                 -- put, or deleted since the latest fit began
            ) WITHOUT ROWID"""
        )
        # Pictures that came without a catalogue are known by their folder.
        connection.execute(
            f"INSERT OR IGNORE INTO {quoted(overrides)} SELECT DISTINCT item_id, 'put' FROM {table} "
            "WHERE instr(replace(location, '\\', '/'), ?)",
            (f"/uploads/{dataset.label}/",),
        )
    # Features of images that have gone: to be counted and forgotten without reading the others.
    name = quoted(dataset.table("inactive"))
    connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {quoted(features)} (active) WHERE active = 0")


def _is_there(connection: sqlite3.Connection, table: str) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
    return connection.execute(query, (table,)).fetchone() is not None


def explained(error: Exception, path: Path) -> StoreError:
    """SQLite's or the system's error as one that says what to do."""
    reason = (isinstance(error, OSError) and error.strerror) or str(error)
    lowered = reason.lower()
    if any(word in lowered for word in BUSY):
        return StoreError(f"{path} is locked: another process writes to it. Wait for it to end, then run this again")
    if any(word in lowered for word in FULL):
        return StoreError(f"{path} cannot grow: the disk is full. Everything stored before is kept; free some space")
    if isinstance(error, OSError) or any(word in lowered for word in OUT_OF_REACH):
        return StoreError(f"{path} cannot be opened: {reason}. Its folder must be one, and may not be read-only")
    if "not a database" in lowered or "malformed" in lowered:
        return damaged(path, reason)
    return StoreError(f"{path}: {reason}")


def damaged(path: Path, reason: str) -> StoreError:
    """The error of a store in which something is not what it should be."""
    return StoreError(f"{path} is damaged or not a feature store: {reason}. Move it away and fit again")
