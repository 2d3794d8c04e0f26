"""Record how each image of a folder was fetched, so that a refresh downloads only those that changed."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from image_similarity.catalogue import stable_address
from image_similarity.errors import OutputError
from image_similarity.util.files import make_folder

FILE_NAME = ".fetched.sqlite"
WAIT = 1.0  # seconds to wait for another run that is ending
SCHEMA = """
CREATE TABLE IF NOT EXISTS fetched (
    image_id TEXT PRIMARY KEY, address TEXT, etag TEXT, last_modified TEXT, size INTEGER, mtime_ns INTEGER,
    digest BLOB, is_dot INTEGER
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Validators:
    """A server's two identifiers of a file's version (HTTP validators); either may be None."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers of a conditional request: send the file only if it has changed."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}


@dataclass(frozen=True, slots=True)
class Content:
    """The SHA-256 of an image's file, and whether the image is a dot: a placeholder of a few pixels."""

    digest: bytes
    is_dot: bool


class FetchLog:
    """The fetch records of one folder, and its lock: while it is open no other run can open it.

    Losing a record only costs another download. A record is written after its file, with that file's size and
    modification time, so a killed run or an edited file can only invalidate records, never make one wrong.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / FILE_NAME

    def __enter__(self) -> Self:
        try:
            make_folder(self._path.parent)
            self._database = self._open()
        except OSError as error:
            raise OutputError(f"cannot write into {self._path.parent}: {error.strerror or error}") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def validators(self, image_id: str, address: str, path: Path) -> Validators:
        """The validators of an image; empty where the address or the file is not the one that was fetched."""
        try:
            row = self._database.execute(
                "SELECT etag, last_modified, size, mtime_ns FROM fetched WHERE image_id = ? AND address = ?",
                (image_id, stable_address(address)),
            ).fetchone()
            state = path.stat()
        except (sqlite3.DatabaseError, OSError):
            return Validators()
        return Validators(row[0], row[1]) if row and row[2:] == (state.st_size, state.st_mtime_ns) else Validators()

    def record(self, image_id: str, address: str, path: Path, validators: Validators, content: Content) -> None:
        """Store the server's validators for the file that is now at ``path``."""
        # The image is on disk by now: a record that cannot be written must not stop the run.
        with contextlib.suppress(sqlite3.DatabaseError, OSError):
            state = path.stat()
            self._database.execute(
                "INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    image_id,
                    stable_address(address),
                    validators.etag,
                    validators.last_modified,
                    state.st_size,
                    state.st_mtime_ns,
                    content.digest,
                    content.is_dot,
                ),
            )

    def suspicious(self) -> list[tuple[str, bytes, bool]]:
        """Images that are dots, or share their content with another: id, digest of the file, whether it is a dot."""
        try:
            return self._database.execute(
                "SELECT image_id, digest, is_dot FROM fetched WHERE is_dot OR digest IN "
                "(SELECT digest FROM fetched WHERE digest IS NOT NULL GROUP BY digest HAVING count(*) > 1) "
                "ORDER BY image_id"
            ).fetchall()
        except sqlite3.DatabaseError:
            return []

    def ids(self) -> list[str]:
        """The ids of all images fetched into this folder."""
        try:
            return [each for (each,) in self._database.execute("SELECT image_id FROM fetched ORDER BY image_id")]
        except sqlite3.DatabaseError:
            return []

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise OutputError(f"another extract is writing to {self._path.parent}. Wait until it ends") from error
            if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise OutputError(f"cannot write {self._path}: {error}") from error
        for ending in ("", "-wal", "-journal"):  # damaged: start over
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        # Used by one thread at a time, but in a notebook not by the one that opened it.
        database = sqlite3.connect(self._path, timeout=WAIT, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive, so that the file is the lock; WAL without waiting for the disk at every image.
            for statement in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
                database.execute(f"PRAGMA {statement}").fetchall()
            database.execute(SCHEMA)
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM fetched WHERE image_id IS NULL")  # takes the lock of an existing file
            database.execute("COMMIT")
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database
