"""The look-up file beside a dictionary: one product's answer found at once, without reading the others'.

An SQLite file that knows its pickle by size, time and digest: where that is another by now, or where the file is
damaged, it is passed over. It may be thrown away; the next fit writes it again.
"""

from __future__ import annotations

import json
import random
import sqlite3
import zlib
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from image_similarity.types import ProductMatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDING = ".lookup"
FORMAT = 1  # PRAGMA user_version; another one is passed over
TABLES = """
    CREATE TABLE pickle (size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, sha256 BLOB NOT NULL);
    CREATE TABLE answers (number INTEGER PRIMARY KEY, product TEXT NOT NULL UNIQUE, matches BLOB NOT NULL);
"""


class UnusableError(Exception):
    """The look-up file is damaged, or of another format. Never leaves this room: the dictionary has older ways."""


class LookupWriter:
    """Writes a look-up file while the answers come by; :meth:`finish` makes it whole."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._count = 0

    def add(self, product_id: str, matches: list[ProductMatch]) -> None:
        """Append one product's answer. Ranks are not kept: they count from 1."""
        self._count += 1
        packed = _pack(matches)
        self._connection.execute("INSERT INTO answers VALUES (?, ?, ?)", (self._count, product_id, packed))

    def finish(self, pickle: Path) -> None:
        """Name the pickle that the answers are those of; its file has its last bytes and keeps its time."""
        status = pickle.stat()
        row = (status.st_size, status.st_mtime_ns, _digest(pickle))
        self._connection.execute("INSERT INTO pickle VALUES (?, ?, ?)", row)
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        self._connection.execute("COMMIT")


@contextmanager
def writing(path: Path) -> Iterator[LookupWriter]:
    """Write a look-up file to a new path.

    Raises:
        OSError: it cannot be written.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            # Half a file is never used, so there is nothing to roll back to; `replacing` brings it to the disk.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(TABLES)
            connection.execute("BEGIN")
            yield LookupWriter(connection)
    except sqlite3.Error as error:
        raise OSError(f"its look-up file: {error}") from error


class Lookup:
    """A look-up file that fits its dictionary's pickle. Memory and time do not grow with it.

    Every method raises :class:`UnusableError` where the file turns out to be damaged.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __del__(self) -> None:
        self._connection.close()

    def products(self) -> Iterator[str]:
        """Every product's id, one at a time."""
        with _damage():
            yield from (product_id for (product_id,) in self._connection.execute("SELECT product FROM answers"))

    def by_chance(self) -> str | None:
        """One product's id, each as likely as any other; None when there are none."""
        with _damage():
            (count,) = self._connection.execute("SELECT max(number) FROM answers").fetchone()
            if not count:
                return None
            number = random.randint(1, count)  # noqa: S311 (nobody's secret)
            row = self._connection.execute("SELECT product FROM answers WHERE number = ?", (number,)).fetchone()
            return str(row[0])

    def similar(self, product_id: str) -> list[ProductMatch] | None:
        """A product's answer, best first; None where it is not known."""
        with _damage():
            row = self._connection.execute("SELECT matches FROM answers WHERE product = ?", (product_id,)).fetchone()
            return None if row is None else _unpack(row[0])


def find(path: Path, pickle: Path) -> Lookup | None:
    """The look-up file of a pickle as that is now; None where there is none, or it is another's or damaged."""
    try:
        status = pickle.stat()
        # Never changed in place, only replaced: no locks are needed, and whoever has it open keeps the old one whole.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    except (OSError, sqlite3.Error):
        return None
    lookup = Lookup(connection)
    with suppress(UnusableError, OSError), _damage():
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        ((size, modified, sha256),) = connection.execute("SELECT size, modified_ns, sha256 FROM pickle")
        fits = version == FORMAT and size == status.st_size
        # A workspace that was copied has the same bytes with another time.
        if fits and (modified == status.st_mtime_ns or sha256 == _digest(pickle)):
            return lookup
    return None


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, zlib.error, ValueError, TypeError) as error:
        raise UnusableError(str(error)) from error


def _pack(matches: list[ProductMatch]) -> bytes:
    rows = [(match.product_id, match.score, match.image_id, match.query_image_id) for match in matches]
    # A third of the size for a fifth more of the time: the ids of one shop's images are much alike.
    return zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 1)


def _unpack(packed: bytes) -> list[ProductMatch]:
    rows = json.loads(zlib.decompress(packed))
    return [
        ProductMatch(product_id, rank, score, image_id, query_image_id)
        for rank, (product_id, score, image_id, query_image_id) in enumerate(rows, start=1)
    ]


def _digest(path: Path) -> bytes:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
