"""Bulk imports in the store: pending products, counts and failures.

An import is written before its request is answered, so a service that was killed resumes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from image_similarity.service import schemas

if TYPE_CHECKING:
    import sqlite3

    from image_similarity.store import Database

SHOWN = 100  # failures that are kept and shown
KEPT = 100  # finished imports
NUMBER = "(SELECT number FROM jobs WHERE job_id = ?)"


@dataclass(frozen=True, slots=True)
class PendingProduct:
    """One product of an import that has not been processed yet."""

    position: int
    product: schemas.BulkProduct


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a product was upserted; ``repaired``: how many of its images came from a truncated file."""

    put: bool
    failures: Sequence[schemas.JobFailure] = ()
    repaired: int = 0


@dataclass(frozen=True, slots=True)
class NewImport:
    """A new import. ``bodies``: products as JSON; ``failed``: products that are refused already."""

    bodies: Sequence[str]
    failed: int = 0
    failures: Sequence[schemas.JobFailure] = ()
    notes: Sequence[str] = ()
    job_id: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(
        cls,
        products: Iterable[schemas.BulkProduct],
        failures: Sequence[schemas.JobFailure] = (),
        notes: Sequence[str] = (),
    ) -> Self:
        """Import these products; of one that is listed twice, the last counts. ``notes`` are on their table."""
        bodies = {each.product_id: each.model_dump_json(exclude_none=True) for each in products}
        # Each failed row without an id counts as one product; no real id begins with a control character.
        failed = {each.product_id or f"\n{row}" for row, each in enumerate(failures)} - bodies.keys()
        return cls(list(bodies.values()), len(failed), failures, notes)


class BulkImports:
    """The bulk imports of one dataset. Every method that writes is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database, self._label = database, database.dataset.label

    def add(self, new: NewImport) -> schemas.Job:
        """Store a new import; all but the latest finished ones are deleted."""
        total = len(new.bodies) + new.failed
        with self._database.writing() as connection:
            cursor = connection.execute(
                "INSERT INTO jobs (job_id, dataset, total, failed, notes, created) VALUES (?, ?, ?, ?, ?, ?)",
                (new.job_id, self._label, total, new.failed, json.dumps(new.notes), _now()),
            )
            connection.executemany(
                "INSERT INTO job_products VALUES (?, ?, ?)",
                ((cursor.lastrowid, position, body) for position, body in enumerate(new.bodies)),
            )
            self._add_failures(connection, new.job_id, new.failures)
            ended = "SELECT number FROM jobs WHERE dataset = ? AND finished NOT NULL ORDER BY number DESC"
            old = f"{ended} LIMIT -1 OFFSET ?"
            for table, column in (("job_failures", "job"), ("jobs", "number")):
                connection.execute(f"DELETE FROM {table} WHERE {column} IN ({old})", (self._label, KEPT))
            return self._read(connection, "job_id = ?", new.job_id)[0]

    def all(self) -> list[schemas.Job]:
        """Every import, the latest first."""
        with self._database.reading() as connection:
            return self._read(connection, "dataset = ?", self._label)

    def find(self, job_id: str) -> schemas.Job | None:
        """One import; None where there is none of this id."""
        with self._database.reading() as connection:
            return next(iter(self._read(connection, "dataset = ? AND job_id = ?", self._label, job_id)), None)

    def unfinished(self) -> list[str]:
        """The ids of the imports to carry out, the oldest first."""
        query = "SELECT job_id FROM jobs WHERE dataset = ? AND finished IS NULL ORDER BY number"
        with self._database.reading() as connection:
            return [job_id for (job_id,) in connection.execute(query, (self._label,))]

    def todo(self, job_id: str, number: int) -> list[PendingProduct]:
        """The next ``number`` products to upsert."""
        query = f"SELECT position, body FROM job_products WHERE job = {NUMBER} ORDER BY position LIMIT ?"
        with self._database.reading() as connection:
            rows = connection.execute(query, (job_id, number)).fetchall()
        return [PendingProduct(position, schemas.BulkProduct.model_validate_json(body)) for position, body in rows]

    def record(self, job_id: str, todo: PendingProduct, outcome: Outcome) -> None:
        """Record a product's outcome, once, and remove the product from the pending ones."""
        with self._database.writing() as connection:
            deleted = connection.execute(
                f"DELETE FROM job_products WHERE job = {NUMBER} AND position = ?", (job_id, todo.position)
            )
            if not deleted.rowcount:
                return
            connection.execute(
                "UPDATE jobs SET done = done + ?, failed = failed + ?, repaired = repaired + ? WHERE job_id = ?",
                (outcome.put, not outcome.put, outcome.repaired, job_id),
            )
            self._add_failures(connection, job_id, outcome.failures)

    def set_state(self, job_id: str, state: schemas.JobState, reason: str = "") -> None:
        """Set an import's state. Pending products of a finished one are deleted."""
        finished = _now() if state in ("done", "failed") else None
        with self._database.writing() as connection:
            query = "UPDATE jobs SET state = ?, reason = ?, finished = ? WHERE job_id = ?"
            connection.execute(query, (state, reason, finished, job_id))
            if finished:
                connection.execute(f"DELETE FROM job_products WHERE job = {NUMBER}", (job_id,))

    def _add_failures(
        self, connection: sqlite3.Connection, job_id: str, failures: Sequence[schemas.JobFailure]
    ) -> None:
        connection.executemany(
            f"INSERT INTO job_failures SELECT {NUMBER}, ?, ?, ?, ? "
            f"WHERE (SELECT count(*) FROM job_failures WHERE job = {NUMBER}) < {SHOWN}",
            ((job_id, each.product_id, each.image, each.stage, each.reason, job_id) for each in failures[:SHOWN]),
        )

    def _read(self, connection: sqlite3.Connection, condition: str, *values: str) -> list[schemas.Job]:
        columns = "number, job_id, state, total, done, failed, repaired, notes, reason, created, finished"
        failures = "SELECT product_id, image, stage, reason FROM job_failures WHERE job = ? ORDER BY rowid"
        return [
            schemas.Job(
                job_id=job_id,
                state=state,
                total=total,
                done=done,
                failed=failed,
                failures=[
                    schemas.JobFailure(product_id=p, image=i, stage=s, reason=r)
                    for p, i, s, r in connection.execute(failures, (number,))
                ],
                repaired=repaired,
                notes=json.loads(notes),
                reason=reason,
                created=created,
                finished=finished,
            )
            for number, job_id, state, total, done, failed, repaired, notes, reason, created, finished in (
                connection.execute(f"SELECT {columns} FROM jobs WHERE {condition} ORDER BY number DESC", values)
            ).fetchall()
        ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
