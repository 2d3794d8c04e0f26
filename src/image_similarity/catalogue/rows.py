"""Rows out of a file's bytes: CSV (``,`` ``;`` or tab), JSON lines, Parquet; the first two gzipped or not.

What a file is follows from its first bytes, never from its name.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO, cast

from image_similarity.errors import CatalogueError

BATCH = 1024  # rows of a Parquet file in memory at a time
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``number`` is the line that it ends on (text) or its place from 1 (Parquet)."""

    number: int
    cells: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, while its neighbours can."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is being read: its columns (of JSON lines: the first row's) and its rows, once.

    ``notes``: what was guessed, such as an encoding.
    """

    header: tuple[str, ...]
    rows: Iterator[Row | BadRow]
    notes: list[str] = field(default_factory=list)


@contextmanager
def reading(stream: BinaryIO, where: str) -> Iterator[Table]:
    """Read a table while the block lasts. ``where`` is its name in messages.

    Raises:
        CatalogueError: here or while rows are taken: the file is empty, damaged, cut short, or no table.
    """
    try:
        with ExitStack() as opened:
            yield _table(stream, where, opened)
    except UnicodeDecodeError as error:
        raise CatalogueError(
            f"{where} is not a UTF-8 table: byte 0x{error.object[error.start]:02x} is none of its letters. "
            "Save it as CSV in UTF-8, as JSON lines or as Parquet"
        ) from error
    except EOFError as error:
        raise CatalogueError(f"{where} is cut short: its gzip data ends too early. Fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise CatalogueError(f"{where} is damaged: {error}. Fetch it again") from error
    except OSError as error:
        raise CatalogueError(f"cannot read {where}: {error.strerror or error}") from error


def _table(stream: BinaryIO, where: str, opened: ExitStack) -> Table:
    start = _peek(stream)
    if start.startswith(b"\x1f\x8b"):
        stream = cast("BinaryIO", opened.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=stream))))
        start = _peek(stream)
    if start.startswith(b"PAR1"):
        return _parquet(stream, where)
    text = start.removeprefix(BOM).lstrip()
    if text.startswith(b"["):
        raise CatalogueError(f"{where} is one JSON array. Write one object a line instead (JSON lines)")
    lines = opened.enter_context(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))
    table = _json_lines(lines) if text.startswith(b"{") else _csv(lines, where)
    if not table.header:
        raise CatalogueError(f"{where} is empty: it has no header and no rows")
    return table


def _peek(stream: BinaryIO) -> bytes:
    """Look at the first bytes without taking them."""
    return cast("io.BufferedReader", stream).peek(512)


def _csv(lines: io.TextIOWrapper, where: str) -> Table:
    first = lines.readline()
    while first and not first.strip():
        first = lines.readline()
    delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
    # strict: a quote that is never closed would otherwise swallow the rest of the table without a word.
    reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
    try:
        header = tuple(name.strip() for name in next(reader, []))
    except csv.Error as error:
        raise CatalogueError(f"the header of {where} cannot be read: {error}") from error
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise CatalogueError(f"{where} has two columns named {', '.join(twice)}. Rename one of each")
    return Table(header, _csv_rows(reader, header))


def _csv_rows(reader: Iterator[list[str]], header: tuple[str, ...]) -> Iterator[Row | BadRow]:
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield BadRow(_line(reader), f"the row cannot be read: {error}")
            continue
        if cells is None:
            return
        if len(cells) > len(header):
            yield BadRow(_line(reader), f"the row has {len(cells)} cells, the header {len(header)}")
        elif cells:
            padded = cells + [""] * (len(header) - len(cells))
            yield Row(_line(reader), dict(zip(header, padded, strict=True)))


def _line(reader: object) -> int:
    return int(getattr(reader, "line_num", 0))


def _json_lines(lines: Iterator[str]) -> Table:
    rows = _json_rows(lines)
    before: list[Row | BadRow] = []
    for row in rows:
        before.append(row)
        if isinstance(row, Row):
            return Table(tuple(row.cells), chain(before, rows))
    return Table(("?",), iter(before))


def _json_rows(lines: Iterator[str]) -> Iterator[Row | BadRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"the line is not JSON: {error}")
            continue
        yield Row(number, cells) if isinstance(cells, dict) else BadRow(number, "the line is not a JSON object")


def _parquet(stream: BinaryIO, where: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(stream)
    except pa.ArrowException as error:
        raise CatalogueError(f"{where} is not a whole Parquet file: {error}") from error
    # Bytes (a picture inside the table) are never text, and may be larger than the memory.
    heavy = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_struct)
    header = tuple(item.name for item in file.schema_arrow if not any(test(item.type) for test in heavy))

    def rows() -> Iterator[Row | BadRow]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH, columns=list(header)):
                columns = [c.cast(pa.string()) if pa.types.is_temporal(c.type) else c for c in batch.columns]
                for cells in zip(*(column.to_pylist() for column in columns), strict=True):
                    number += 1
                    yield Row(number, dict(zip(batch.schema.names, cells, strict=True)))
        except pa.ArrowException as error:
            raise CatalogueError(f"{where} is damaged after row {number}: {error}") from error

    return Table(header, rows())
