"""Open a table in any format: CSV, JSON or an XML feed, gzipped, zipped or not, and Parquet.

The format is detected from the first bytes, never from the file's name.
"""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO, cast

from image_similarity.catalogue.columns import Columns
from image_similarity.catalogue.delimited import read_delimited
from image_similarity.catalogue.feed_rows import read_feed
from image_similarity.catalogue.json_rows import read_json
from image_similarity.catalogue.parquet_rows import read_parquet
from image_similarity.catalogue.rows import Table, limited
from image_similarity.catalogue.shopify import without_variants
from image_similarity.catalogue.text_lines import TextLines, encoding_of
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

LIMITS = TableLimits()
START = 8192
ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive of nothing
WORKBOOKS = {"[Content_Types].xml", "mimetype"}
"""Files that a zip archive has if it is a workbook."""
SHOWN = 5  # files of an archive named in a message
OTHER_FORMATS = (
    (b"\xd0\xcf\x11\xe0", "a workbook of an older Excel", "Save it as CSV"),
    (b"%PDF", "a PDF", "Export the table as CSV"),
    (b"SQLite format 3\0", "a database", "Export the table as CSV"),
    (b"\x89PNG", "an image", "Give the table that lists the images, or their folder"),
    (b"\xff\xd8\xff", "an image", "Give the table that lists the images, or their folder"),
    (b"BZh", "packed with bzip2", "Unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "Unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz", "Unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it"),
)


@contextmanager
def reading(stream: BinaryIO, where: str, limits: TableLimits = LIMITS) -> Iterator[Table]:
    """Open a table for the duration of the block. ``where`` is its name in messages.

    Raises:
        CatalogueError: here or while rows are read: the file is empty, damaged, truncated, larger than the limits, or
            not a table.
    """
    try:
        with ExitStack() as opened:
            table = _table(stream, where, limits, opened)
            if not table.header:
                raise CatalogueError(f"{where} is empty: it has no header and no rows")
            yield replace(table, rows=limited(table.rows, limits, where))
    except EOFError as error:
        raise CatalogueError(f"{where} is cut short: its gzip data ends too early. Fetch it again") from error
    except (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error) as error:
        raise CatalogueError(f"{where} is damaged: {error}. Fetch it again") from error
    except OSError as error:
        raise CatalogueError(f"cannot read {where}: {error.strerror or error}") from error


def _table(stream: BinaryIO, where: str, limits: TableLimits, opened: ExitStack) -> Table:
    start = _peek(stream)
    if start.startswith(b"\x1f\x8b"):
        stream = cast("BinaryIO", opened.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=stream))))
        start = _peek(stream)
    elif start.startswith(ZIP):
        stream = _zipped(stream, where, opened)
        start = _peek(stream)
    if start.startswith(b"PAR1"):
        return read_parquet(stream, where, limits)
    _reject_other_formats(start, where)
    text = start.decode(encoding_of(start), "ignore").lstrip("\ufeff \t\r\n")
    if text.lower().startswith(("<!doctype html", "<html")):
        raise CatalogueError(f"{where} is a web page, not a table. Was it fetched without being logged in?")
    if text.startswith("<"):
        return read_feed(stream, where, limits)
    notes: list[str] = []
    lines = TextLines(stream, start, where, limits, notes)
    if text.startswith(("{", "[")):
        return replace(without_variants(read_json(lines, text, where, limits, _is_header)), notes=notes)
    return read_delimited(iter(lines), where, limits, _is_header, notes)


def _zipped(stream: BinaryIO, where: str, opened: ExitStack) -> BinaryIO:
    """The one file of a zip archive, unpacked as it is read."""
    archive = opened.enter_context(zipfile.ZipFile(stream))
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if WORKBOOKS & set(names):
        raise CatalogueError(f"{where} is a workbook (xlsx, ods), not a table. Save it as CSV")
    files = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
    if len(files) != 1:
        listed = ", ".join(files[:SHOWN]) or "none"
        raise CatalogueError(f"{where} must hold one file, the table. It holds {len(files)}: {listed}")
    try:
        return cast("BinaryIO", opened.enter_context(io.BufferedReader(cast("io.RawIOBase", archive.open(files[0])))))
    except (RuntimeError, NotImplementedError) as error:  # a password; a compression that Python does not know
        raise CatalogueError(f"cannot unpack {where}: {error}. Pack it without a password, as zip or gzip") from error


def _reject_other_formats(start: bytes, where: str) -> None:
    """Reject well-known formats that are not tables.

    Raises:
        CatalogueError: it has such a format.
    """
    for mark, what, advice in OTHER_FORMATS:
        if start.startswith(mark):
            raise CatalogueError(f"{where} is {what}, not a table. {advice}")
    if start and not start.strip(b"\0"):  # left by an interrupted copy, or a sparse file
        raise CatalogueError(f"{where} begins with zeros only. Fetch it again")


def _is_header(names: Sequence[str]) -> bool:
    """Whether these are column names: one for the product, and at least one other known one."""
    columns = Columns.of(names)
    others = (columns.image, columns.pixl, columns.title, columns.description, columns.image_id)
    return columns.product is not None and any(other is not None for other in others)


def _peek(stream: BinaryIO) -> bytes:
    """Up to :data:`START` first bytes, without consuming them."""
    return cast("io.BufferedReader", stream).peek(START)
