"""Read the rows of a Parquet table, including lists, structs, text stored as bytes, and images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from image_similarity.catalogue.rows import BadRow, Row, Table, check_columns
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 1024  # rows in memory at a time
HEAVY_BATCH = 32  # rows with image bytes


def read_parquet(stream: BinaryIO, where: str, limits: TableLimits) -> Table:
    """Open a Parquet table. Nested and binary columns yield lists, dicts and ``bytes``.

    Raises:
        CatalogueError: it is damaged, or larger than allowed; here or while rows are taken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(stream)
        texts = [field.name for field in file.schema_arrow if _is_text(field.type)]
        if texts:  # a text that a million rows share is stored once
            file = pq.ParquetFile(stream, read_dictionary=texts)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise CatalogueError(f"{where} is not a whole Parquet file: {error}") from error
    _check(file.metadata, where, limits)
    names = file.schema_arrow.names
    check_columns(tuple(names), limits, where)
    return Table(tuple(dict.fromkeys(names)), _rows(file, where, limits))


def _check(metadata: Any, where: str, limits: TableLimits) -> None:
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if metadata.num_rows > limits.rows:
        raise CatalogueError(f"{where} has {metadata.num_rows} rows: the limit of a table is {limits.rows}. Split it")
    if size > limits.unpacked_bytes:
        raise CatalogueError(
            f"{where} holds {size} bytes, unpacked: the limit of a table is {limits.unpacked_bytes}. Split it"
        )


def _rows(file: Any, where: str, limits: TableLimits) -> Iterator[Row | BadRow]:
    import pyarrow as pa

    number = 0
    heavy = any(_is_heavy(field.type) for field in file.schema_arrow)
    try:
        for batch in file.iter_batches(batch_size=HEAVY_BATCH if heavy else BATCH):
            columns = [_values(column) for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                row = dict(zip(batch.schema.names, cells, strict=True))
                large = next((name for name, cell in row.items() if _size(cell) > limits.cell_bytes), None)
                if large is None:
                    yield Row(number, row)
                else:
                    yield BadRow(number, f"the cell {large} is larger than the limit of {limits.cell_bytes} bytes")
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise CatalogueError(f"{where} is damaged after row {number}: {error}") from error


def _values(column: pa.Array) -> list[object]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        texts = [_cell(each) for each in column.dictionary.to_pylist()]
        return [None if place is None else texts[place] for place in column.indices.to_pylist()]
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    return [_cell(value) for value in column.to_pylist()]


def _cell(value: object) -> object:
    """Decode text that is stored as bytes; other bytes, such as an image, stay bytes."""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return value
        return text if "\0" not in text else value
    if isinstance(value, list):
        return [_cell(each) for each in value]
    if isinstance(value, dict):
        return {name: _cell(each) for name, each in value.items()}
    return value


def _size(cell: object) -> int:
    if isinstance(cell, (str, bytes)):
        return len(cell)
    if isinstance(cell, list):
        return sum(map(_size, cell))
    return sum(map(_size, cell.values())) if isinstance(cell, dict) else 0


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_heavy(kind: pa.DataType) -> bool:
    import pyarrow as pa

    is_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_struct)
    return any(test(kind) for test in is_bytes) or (pa.types.is_list(kind) and _is_heavy(kind.value_type))
