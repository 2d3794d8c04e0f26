"""Requests that were carried out, by the keys that their senders gave them: sent again, they change nothing."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.store.database import Database

KEPT = 100_000
"""Requests that are remembered."""


class IdempotencyClashError(Exception):
    """A key was given with two different requests."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request's key, the digest of all that it asks for, and what it was answered.

    ``status``: HTTP's. ``repaired``: of the images that came with it, how many came from a file that was cut short.
    """

    key: str
    digest: bytes
    status: int = 0
    repaired: int = 0


class IdempotencyLog:
    """The requests of one dataset."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, asked: IdempotentRequest) -> IdempotentRequest | None:
        """The request with its answer; None where it has not been carried out.

        Raises:
            IdempotencyClashError: its key was given with another request.
            StoreError: the store cannot be read.
        """
        query = f"SELECT digest, status, repaired FROM {self._database.requests} WHERE key = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (asked.key,)).fetchone()
        if row is None:
            return None
        if row[0] != asked.digest:
            raise IdempotencyClashError
        return replace(asked, status=row[1], repaired=row[2])

    def remember(self, connection: sqlite3.Connection, answered: IdempotentRequest) -> None:
        """Inside the transaction that carries it out: so either both are on the disk, or neither."""
        table = self._database.requests
        cursor = connection.execute(
            f"INSERT INTO {table} (key, digest, status, at, repaired) VALUES (?, ?, ?, ?, ?)",
            (answered.key, answered.digest, answered.status, time.time(), answered.repaired),
        )
        connection.execute(f"DELETE FROM {table} WHERE number <= ?", ((cursor.lastrowid or 0) - KEPT,))
