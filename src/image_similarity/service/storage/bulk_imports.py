"""Bulk imports as they lie on the disk: one SQLite file each, which is the whole truth about it.

A file holds what is to be put and what has become of it, product by product. It is written before the request is
answered, so a service that was killed goes on where it was.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

from image_similarity.errors import OutputError
from image_similarity.service import schemas
from image_similarity.util.files import replacing

JobState = Literal["queued", "running", "done", "failed"]
LOG = logging.getLogger(__name__)
NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
SHOWN = 100  # failures that an answer lists
KEPT = 100  # finished imports
SCHEMA = """
CREATE TABLE job (state TEXT NOT NULL, created TEXT NOT NULL, finished TEXT, reason TEXT NOT NULL);
CREATE TABLE products (
    position INTEGER PRIMARY KEY, product_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued'
);
CREATE TABLE failures (product_id TEXT NOT NULL, image TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL);
"""
# What imports of earlier versions lack.
MORE = (
    "CREATE TABLE IF NOT EXISTS repaired (product_id TEXT NOT NULL, pictures INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS notes (note TEXT NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Todo:
    """One product of an import that has not been dealt with."""

    position: int
    product: schemas.BulkProduct


class Imports:
    """The bulk imports of one dataset. ``folder``: where their files are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(
        self,
        products: Iterable[schemas.BulkProduct],
        failures: Sequence[schemas.JobFailure] = (),
        notes: Iterable[str] = (),
    ) -> schemas.Job:
        """Keep a new import. Of a product that is named twice the last stands; one that only failed is counted.

        ``notes``: what is to be known of the table that it came in.

        Raises:
            OutputError: it cannot be written.
        """
        job_id = uuid4().hex
        try:
            with replacing(self._path(job_id)) as temporary, closing(sqlite3.connect(temporary)) as file, file:
                file.executescript(SCHEMA)
                _complete(file)
                file.execute("INSERT INTO job VALUES ('queued', ?, NULL, '')", (_now(),))
                file.executemany(
                    "INSERT OR REPLACE INTO products (product_id, body) VALUES (?, ?)",
                    ((each.product_id, each.model_dump_json(exclude_none=True)) for each in products),
                )
                file.executemany("INSERT INTO failures VALUES (?, ?, ?, ?)", (_row(each) for each in failures))
                file.executemany(
                    "INSERT OR IGNORE INTO products (product_id, body, state) VALUES (?, '', 'failed')",
                    # A row that names no product is one of its own; no product's id begins with a control character.
                    ((each.product_id or f"\n{row}",) for row, each in enumerate(failures)),
                )
                file.executemany("INSERT INTO notes VALUES (?)", ((note,) for note in notes))
        except sqlite3.Error as error:
            raise OutputError(f"the import cannot be written into {self._folder}: {error}") from error
        job = self.find(job_id)
        if job is None:
            raise OutputError(f"the import was written into {self._folder} and cannot be read")
        self._forget()
        return job

    def all(self) -> list[schemas.Job]:
        """Every import, the latest first."""
        jobs = [job for path in self._folder.glob("*.sqlite") if (job := self.find(path.stem)) is not None]
        return sorted(jobs, key=lambda job: job.created, reverse=True)

    def unfinished(self) -> list[str]:
        """The imports that are to be done, the oldest first."""
        return [job.job_id for job in reversed(self.all()) if job.state in ("queued", "running")]

    def find(self, job_id: str) -> schemas.Job | None:
        """One import as it is answered; None where there is none."""
        if not NAME.fullmatch(job_id) or not self._path(job_id).exists():
            return None
        try:
            return self._read(job_id)
        except (sqlite3.Error, TypeError, ValueError) as error:
            LOG.error("the import %s cannot be read: %s", job_id, error)
            return self._unreadable(job_id)

    def _unreadable(self, job_id: str) -> schemas.Job | None:
        """What is known of an import whose file is damaged: that it will not be carried out."""
        try:
            at = _moment(datetime.fromtimestamp(self._path(job_id).stat().st_mtime, UTC))
        except OSError:
            return None
        reason = "what is kept of it is damaged: send it again"
        return schemas.Job(
            job_id=job_id,
            state="failed",
            total=None,
            done=0,
            failed=0,
            failures=[],
            repaired=0,
            notes=[],
            reason=reason,
            created=at,
            finished=at,
        )

    def _read(self, job_id: str) -> schemas.Job:
        with self._open(job_id) as file:
            state, created, finished, reason = file.execute("SELECT * FROM job").fetchone()
            counts = dict(file.execute("SELECT state, count(*) FROM products GROUP BY state").fetchall())
            failures = file.execute("SELECT * FROM failures ORDER BY rowid LIMIT ?", (SHOWN,)).fetchall()
            (repaired,) = file.execute("SELECT coalesce(sum(pictures), 0) FROM repaired").fetchone()
            notes = [note for (note,) in file.execute("SELECT note FROM notes ORDER BY rowid")]
        return schemas.Job(
            job_id=job_id,
            state=state,
            total=sum(counts.values()),
            done=counts.get("done", 0),
            failed=counts.get("failed", 0),
            failures=[schemas.JobFailure(product_id=p, image=i, stage=s, reason=r) for p, i, s, r in failures],
            repaired=repaired,
            notes=notes,
            reason=reason,
            created=created,
            finished=finished,
        )

    def todo(self, job_id: str, number: int) -> list[Todo]:
        """Some products that are to be put next."""
        query = "SELECT position, body FROM products WHERE state = 'queued' ORDER BY position LIMIT ?"
        with self._open(job_id) as file:
            rows = file.execute(query, (number,)).fetchall()
        return [Todo(position, schemas.BulkProduct.model_validate(json.loads(body))) for position, body in rows]

    def settle(
        self, job_id: str, todo: Todo, failures: Iterable[schemas.JobFailure], *, put: bool, repaired: int = 0
    ) -> None:
        """Say what became of a product; ``repaired``: how many of its pictures came from a file that was cut short."""
        with self._open(job_id) as file:
            state = "done" if put else "failed"
            file.execute("UPDATE products SET state = ? WHERE position = ?", (state, todo.position))
            file.executemany("INSERT INTO failures VALUES (?, ?, ?, ?)", (_row(each) for each in failures))
            if repaired:
                file.execute("INSERT INTO repaired VALUES (?, ?)", (todo.product.product_id, repaired))

    def mark(self, job_id: str, state: JobState, reason: str = "") -> None:
        """Say how an import stands."""
        finished = _now() if state in ("done", "failed") else None
        with self._open(job_id) as file:
            file.execute("UPDATE job SET state = ?, finished = ?, reason = ?", (state, finished, reason))
            if finished:
                file.execute("UPDATE products SET body = ''")  # pictures may have been in it
        if finished:
            with suppress(sqlite3.Error), closing(sqlite3.connect(self._path(job_id))) as whole:
                whole.execute("VACUUM")  # which takes room for a moment; where there is none, the file stays as large

    def _forget(self) -> None:
        """Remove the oldest of many finished imports."""
        finished = [job for job in self.all() if job.finished]
        for job in finished[KEPT:]:
            self._path(job.job_id).unlink(missing_ok=True)

    @contextmanager
    def _open(self, job_id: str) -> Iterator[sqlite3.Connection]:
        there = f"{self._path(job_id).absolute().as_uri()}?mode=rw"  # one that is not there is not made
        with closing(sqlite3.connect(there, uri=True, timeout=30.0)) as file, file:
            _complete(file)
            yield file

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.sqlite"


def _complete(file: sqlite3.Connection) -> None:
    for statement in MORE:
        file.execute(statement)


def _row(failure: schemas.JobFailure) -> tuple[str, str, str, str]:
    return failure.product_id, failure.image, failure.stage, failure.reason


def _now() -> str:
    return _moment(datetime.now(UTC))


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
