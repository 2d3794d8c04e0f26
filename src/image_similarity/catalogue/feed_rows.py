"""Read the rows of an XML feed (RSS, Atom): one item per product, fields without their namespaces.

A field inside another one is named by both, as Google names them: ``shipping`` with a ``price`` is ``shipping_price``.
In a list, ``images`` of an ``image`` each, it is named by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import BinaryIO
from xml.parsers import expat

from image_similarity.catalogue.rows import BadRow, Row, Table, check_columns
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

PIECE = 1 << 16  # bytes parsed together
ITEMS = ("item", "entry")
IMAGE = "image"


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
        address = attributes.get("href") or attributes.get("url")  # Atom's links, RSS's enclosures and media
        is_image = address and (attributes.get("type", "").startswith("image/") or attributes.get("medium") == "image")
        self._path.append(IMAGE if is_image else name)
        self._text = [address] if address else []

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
            field, text = _field(self._path), "".join(self._text).strip()
            self._path.pop()
            self._text = []
            if text:
                before = self._item.get(field)
                self._item[field] = text if before is None else [*_list(before), text]
        else:
            self._number += 1
            self.rows.append(Row(self._number, self._item))
            self._item, self._size = None, 0


def _field(path: list[str]) -> str:
    """The name of a field from the names of the elements around it, the outermost first."""
    outer = [name for name, inner in pairwise(path) if name not in (f"{inner}s", f"{inner.removesuffix('y')}ies")]
    return path[-1] if path[-1] == IMAGE else "_".join([*outer, path[-1]])


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
