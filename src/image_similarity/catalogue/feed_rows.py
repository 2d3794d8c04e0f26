"""Read the rows of an XML feed (RSS, Atom): one item per product, fields without their namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO
from xml.parsers import expat

from image_similarity.catalogue.rows import BadRow, Row, Table, check_columns
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

PIECE = 1 << 16  # bytes parsed together
ITEMS = ("item", "entry")


def read_feed(stream: BinaryIO, where: str, limits: TableLimits) -> Table:
    """Open an XML feed, parsed incrementally. A repeated field becomes a list.

    Raises:
        CatalogueError: not such a feed, damaged, or declares entities; here or while rows are read.
    """
    rows = _rows(stream, where, limits)
    first = next(rows, None)
    if not isinstance(first, Row):
        raise CatalogueError(f"{where} is XML without any <item> or <entry>: it is not a product feed")
    check_columns(tuple(first.cells), limits, where)
    return Table(tuple(first.cells), chain([first], rows))


class _RowHandler:
    """Collects expat's events into rows."""

    def __init__(self, where: str, limits: TableLimits) -> None:
        self.rows: list[Row | BadRow] = []
        self._where, self._limits = where, limits
        self._item: dict[str, object] | None = None
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = self._number = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if self._item is None:
            if name in ITEMS:
                self._item, self._path = {}, []
            return
        self._path.append(name)
        self._text = []
        if "href" in attributes:  # Atom's links
            self._text.append(attributes["href"])

    def text(self, text: str) -> None:
        if self._item is not None and self._path:
            self._size += len(text)
            if self._size > self._limits.document_bytes:
                raise CatalogueError(
                    f"{self._where}: item {self._number + 1} is larger than {self._limits.document_bytes} letters"
                )
            self._text.append(text)

    def end(self, _: str) -> None:
        if self._item is None:
            return
        if self._path:
            field, text = self._path.pop(), "".join(self._text).strip()
            self._text = []
            if text:
                before = self._item.get(field)
                self._item[field] = text if before is None else [*_list(before), text]
        else:
            self._number += 1
            self.rows.append(Row(self._number, self._item))
            self._item, self._size = None, 0


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _rows(stream: BinaryIO, where: str, limits: TableLimits) -> Iterator[Row | BadRow]:
    parser, handler = expat.ParserCreate(), _RowHandler(where, limits)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = handler.begin, handler.end
    parser.CharacterDataHandler = handler.text

    def refuse(*_: object) -> None:
        raise CatalogueError(f"{where} declares a document type or entities of its own, which no feed needs: refused")

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    size = 0
    while True:
        piece = stream.read(PIECE)
        size += len(piece)
        if size > limits.unpacked_bytes:
            raise CatalogueError(f"{where} is larger than the limit of {limits.unpacked_bytes} bytes, unpacked")
        try:
            parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            yield from handler.rows
            raise CatalogueError(f"{where} is damaged XML, or cut short: {error}") from error
        yield from handler.rows
        handler.rows.clear()
        if not piece:
            return
