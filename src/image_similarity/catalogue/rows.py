"""The parts of a table in any format: rows, unreadable rows, and size limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``number`` is the line that it begins on (text) or its position from 1 (JSON, Parquet, XML)."""

    number: int
    cells: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, and the reason."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """An open table.

    ``header``: its columns, each once (of JSON and XML: the first row's). A ``repeated`` column has a list of its
    non-empty cells where there are several. ``rows`` can be iterated once. ``notes``: what was guessed, such as an
    encoding; iteration may add more.
    """

    header: tuple[str, ...]
    rows: Iterator[Row | BadRow]
    repeated: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def check_columns(header: tuple[str, ...], limits: TableLimits, where: str) -> None:
    """Check the number of columns.

    Raises:
        CatalogueError: there are more than allowed.
    """
    if len(header) > limits.columns:
        raise CatalogueError(f"{where} has {len(header)} columns: the limit is {limits.columns}")


def limited(rows: Iterator[Row | BadRow], limits: TableLimits, where: str) -> Iterator[Row | BadRow]:
    """Pass rows on, up to the limit.

    Raises:
        CatalogueError: there are more rows than allowed.
    """
    for number, row in enumerate(rows, start=1):
        if number > limits.rows:
            raise CatalogueError(f"{where} has more than {limits.rows} rows: the limit of a table. Split it")
        yield row
