"""Read rows of JSON: one object per line; one array; or an object with the array nested inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from image_similarity.catalogue.delimited import IsHeader
from image_similarity.catalogue.rows import BadRow, Row, Table, check_columns
from image_similarity.catalogue.text_lines import Line, TextLines
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

BLANK = " \t\r\n\ufeff"
NAME = re.compile(r'"([^"\\\\]*)"\s*:')
DECODER = json.JSONDecoder()


def read_json(text: TextLines, start: str, where: str, limits: TableLimits, is_header: IsHeader) -> Table:
    """Open a JSON table. A single document is parsed object by object, never as a whole.

    Args:
        text: the file's text.
        start: the beginning of the text, without leading blanks.
        where: its name in messages.
        limits: the size limits.
        is_header: distinguishes a row's keys from those of an enclosing object.

    Raises:
        CatalogueError: it has no list of products; here or while rows are read: it is damaged.
    """
    if start.startswith("{") and _is_lines(start, is_header):
        return _table(_line_rows(iter(text)), where, limits)
    document = _Document(text.pieces(), where, limits)
    return _table(document.rows() if start.startswith("[") else _wrapped(document, is_header), where, limits)


def _is_lines(start: str, is_header: IsHeader) -> bool:
    """Whether each line is an object, judging by the first line."""
    first, end, rest = start.partition("\n")
    if rest.lstrip(BLANK).startswith("{"):
        return True
    try:
        value = json.loads(first)
    except RecursionError:
        return True  # this row will fail alone
    except ValueError:
        # A line of many kilobytes: in a row, the product's key comes before anything nested.
        names = NAME.findall(re.split(r"[\[{]", first[1:], maxsplit=1)[0])
        return not end and is_header(names)
    return isinstance(value, dict) and (is_header(list(value)) or not any(map(_has_objects, value.values())))


def _table(rows: Iterator[Row | BadRow], where: str, limits: TableLimits) -> Table:
    before: list[Row | BadRow] = []
    for row in rows:
        before.append(row)
        if isinstance(row, Row):
            header = tuple(row.cells)
            check_columns(header, limits, where)
            return Table(header, chain(before, rows))
    first = before[0] if before else None
    if isinstance(first, BadRow):
        raise CatalogueError(f"{where} has no row that is a JSON object; row {first.number}: {first.reason}")
    return Table((), iter(()))


def _line_rows(lines: Iterator[Line]) -> Iterator[Row | BadRow]:
    for line in lines:
        text = line.text.strip(BLANK)
        if line.problem:
            yield BadRow(line.number, line.problem)
        elif text:
            try:
                values = _values(text)
            except (ValueError, RecursionError) as error:
                yield BadRow(line.number, f"the line is not JSON: {error}")
                continue
            for value in values:
                yield _row(line.number, value, "line")


def _values(text: str) -> list[object]:
    """The values of a line: one, or several objects written one after the other."""
    values, at = list[object](), 0
    while at < len(text):
        value, at = DECODER.raw_decode(text, at)
        values.append(value)
        while at < len(text) and text[at] in BLANK:
            at += 1
    return values


def _row(number: int, cells: object, what: str) -> Row | BadRow:
    return Row(number, cells) if isinstance(cells, dict) else BadRow(number, f"the {what} is not a JSON object")


def _has_objects(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_objects, value.values()))
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _wrapped(document: _Document, is_header: IsHeader) -> Iterator[Row | BadRow]:
    """The rows of the first list of objects with known keys, at any depth of nested objects."""
    while document.next_member():
        if document.peek() == "{":
            continue  # descend into it
        if document.peek() == "[":
            rows = document.rows()
            first = next(rows, None)
            if isinstance(first, Row) and is_header(list(first.cells)):
                yield first
                yield from rows
                return
            for _ in rows:
                pass
        else:
            document.value()
    raise CatalogueError(f"{document.where} is JSON, but holds no list of products with known field names")


class _Document:
    """A JSON document parsed incrementally, buffering one row at a time."""

    def __init__(self, pieces: Iterator[str], where: str, limits: TableLimits) -> None:
        self.where = where
        self._pieces, self._limits = pieces, limits
        self._text, self._at = "", 0

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in BLANK:
                self._at += 1
            if self._at < len(self._text) or not self._more():
                return self._text[self._at : self._at + 1]

    def take(self, letter: str) -> bool:
        """Consume a character if it is the next one."""
        if self.peek() != letter:
            return False
        self._at += 1
        return True

    def next_member(self) -> bool:
        """Advance to the next member's value, into and out of objects; False at the end of the document."""
        while True:
            while self.take("{") or self.take(",") or self.take("}"):
                pass
            if self.peek() != '"':
                if self.peek():
                    raise self._damaged("a name is missing")
                return False
            self.value()
            if not self.take(":"):
                raise self._damaged("a : is missing")
            return True

    def rows(self) -> Iterator[Row | BadRow]:
        """The elements of the array at the current position."""
        self.take("[")
        number = 0
        while not self.take("]"):
            number += 1
            yield _row(number, self.value(), "element")
            if not self.take(",") and self.peek() != "]":
                raise self._damaged(f"a , or ] is missing after element {number}")

    def value(self) -> object:
        """Parse the next value.

        Raises:
            CatalogueError: it is not valid, or larger than a row may be.
        """
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
                if end < len(self._text) or not self._more():  # a number may go on
                    self._at = end
                    return value
            except RecursionError:
                raise self._damaged("it is nested too deep") from None
            except ValueError as error:
                if len(self._text) - self._at > self._limits.document_bytes:
                    raise self._damaged(f"one value is larger than {self._limits.document_bytes} letters") from None
                if not self._more(max(2 * (len(self._text) - self._at), 1 << 12)):
                    raise self._damaged(str(error)) from None

    def _more(self, at_least: int = 1) -> bool:
        """Read at least this many more characters; False at the end of the text."""
        pieces, size = [self._text[self._at :]], 0
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece)
            if size >= at_least:
                break
        self._text, self._at = "".join(pieces), 0
        return size > 0

    def _damaged(self, reason: str) -> CatalogueError:
        return CatalogueError(f"{self.where} is damaged JSON, or cut short: {reason}")
