"""What a table is made of, whatever its bytes are: rows, rows that cannot be read, and how large it may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``number`` is the line that it begins on (text) or its place from 1 (JSON, Parquet, XML)."""

    number: int
    cells: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, while its neighbours can."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is being read.

    ``header``: its columns, each once (of JSON and XML: the first row's). A column that is ``repeated`` has a list of
    its cells that are not empty, where these are several. ``rows`` can be taken once. ``notes``: what was guessed,
    such as an encoding; more may come while rows are taken.
    """

    header: tuple[str, ...]
    rows: Iterator[Row | BadRow]
    repeated: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def check_columns(header: tuple[str, ...], limits: TableLimits, where: str) -> None:
    """Refuse a header that is too wide.

    Raises:
        CatalogueError: it has more columns than allowed.
    """
    if len(header) > limits.columns:
        raise CatalogueError(f"{where} has {len(header)} columns: the limit is {limits.columns}")


def counted(rows: Iterator[Row | BadRow], limits: TableLimits, where: str) -> Iterator[Row | BadRow]:
    """The rows, as long as there are no more than allowed.

    Raises:
        CatalogueError: there are more.
    """
    for number, row in enumerate(rows, start=1):
        if number > limits.rows:
            raise CatalogueError(f"{where} has more than {limits.rows} rows: the limit of a table. Split it")
        yield row
