"""What a folder's images were when they were fetched, so that a refresh can ask whether they changed."""

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
WAIT = 1.0  # seconds for another run that is just ending
SCHEMA = """
CREATE TABLE IF NOT EXISTS fetched (
    image_id TEXT PRIMARY KEY, address TEXT, etag TEXT, last_modified TEXT, size INTEGER, mtime_ns INTEGER,
    digest BLOB, is_dot INTEGER
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Validators:
    """A server's two ways to name one state of a file; either may be None."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The request headers that ask for the file only if it has changed since."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True)
class Content:
    """What tells an image's file from others, and whether it is a dot that stands for no image at all."""

    digest: bytes
    is_dot: bool


class FetchLog:
    """The memory of one folder, and its lock: while it is open no other run can open it.

    Losing it costs nothing but a download. It is written after the file that it describes, and holds that file's size
    and time of change, so that whatever kills a run or edits a file can only make it forget.
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
        """What to ask with; nothing where the address or the file is not the one that was fetched."""
        try:
            row = self._database.execute(
                "SELECT etag, last_modified, size, mtime_ns FROM fetched WHERE image_id = ? AND address = ?",
                (image_id, stable_address(address)),
            ).fetchone()
            state = path.stat()
        except (sqlite3.DatabaseError, OSError):
            return Validators()
        return Validators(row[0], row[1]) if row and row[2:] == (state.st_size, state.st_mtime_ns) else Validators()

    def remember(self, image_id: str, address: str, path: Path, validators: Validators, content: Content) -> None:
        """Keep what the server said of the file that now stands at ``path``."""
        # The image is safe on the disk by now: a memory that cannot be written is not worth the run.
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

    def odd(self) -> list[tuple[str, bytes, bool]]:
        """The images that are dots or whose file is another's too: id, digest of the file, whether it is a dot."""
        try:
            return self._database.execute(
                "SELECT image_id, digest, is_dot FROM fetched WHERE is_dot OR digest IN "
                "(SELECT digest FROM fetched WHERE digest IS NOT NULL GROUP BY digest HAVING count(*) > 1) "
                "ORDER BY image_id"
            ).fetchall()
        except sqlite3.DatabaseError:
            return []

    def ids(self) -> list[str]:
        """Every image whose file was fetched into this folder."""
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
        for ending in ("", "-wal", "-journal"):  # damaged: it is forgotten
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        # One thread at a time uses it, but in a notebook not the one that opened it.
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
