"""The log of executed requests by their idempotency keys: a request that is sent again changes nothing."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from image_similarity.store.database import Database

KEPT = 100_000  # requests


class IdempotencyClashError(Exception):
    """Two different requests have the same idempotency key."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request's idempotency key, the digest of its content, and its response.

    ``status``: the HTTP status. ``repaired``: how many of its images were decoded from truncated files.
    """

    key: str
    digest: bytes
    status: int = 0
    repaired: int = 0


class IdempotencyLog:
    """The executed requests of one dataset; the latest 100,000 are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, request: IdempotentRequest) -> IdempotentRequest | None:
        """The request with its response; None where it has not been executed.

        Raises:
            IdempotencyClashError: another request had the same key.
            StoreError: the store cannot be read.
        """
        query = f"SELECT digest, status, repaired FROM {self._database.requests} WHERE key = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (request.key,)).fetchone()
        if row is None:
            return None
        if row[0] != request.digest:
            raise IdempotencyClashError
        return replace(request, status=row[1], repaired=row[2])

    def add(self, connection: sqlite3.Connection, request: IdempotentRequest) -> None:
        """Log a request, inside the transaction that executes it: either both are stored, or neither."""
        table = self._database.requests
        cursor = connection.execute(
            f"INSERT INTO {table} (key, digest, status, at, repaired) VALUES (?, ?, ?, ?, ?)",
            (request.key, request.digest, request.status, time.time(), request.repaired),
        )
        connection.execute(f"DELETE FROM {table} WHERE number <= ?", ((cursor.lastrowid or 0) - KEPT,))
