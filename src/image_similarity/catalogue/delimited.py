"""Read CSV: any of four separators, title lines, several styles of quoting, and damaged rows.

Python's csv module cannot recover from a quote that is never closed, and its cell limit is global to the process. Here
a damaged row does not affect others.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from itertools import chain, dropwhile, islice

from image_similarity.catalogue.rows import BadRow, Row, Table, check_columns
from image_similarity.catalogue.text_lines import Line
from image_similarity.errors import CatalogueError
from image_similarity.settings import TableLimits

SEPARATORS = ",;\t|"
QUOTE = '"'
SNIFFED = 25  # lines used to detect the separator and the header
SWALLOWED = 4  # lines inside one cell that look like rows: its quote was never closed
UNCLOSED = "a quote is not closed"

IsHeader = Callable[[Sequence[str]], bool]
"""Whether some cells are known column names."""


class Quoting(Enum):
    """How a quote inside a quoted cell is escaped: doubled; by a backslash; or not at all."""

    DOUBLED = auto()
    BACKSLASH = auto()
    LOOSE = auto()


class Cells:
    """Parses the cells of one row, from one line or several."""

    def __init__(self, separator: str, quoting: Quoting = Quoting.DOUBLED) -> None:
        self.cells: list[str] = []
        self.is_bad = False
        self._separator, self._quoting = separator, quoting
        self._open: list[str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the row continues on the next line, inside quotes."""
        return self._open is not None

    def add(self, line: str) -> None:
        """Parse one more line, including its line end."""
        text = line.rstrip("\r\n")
        at = 0
        while not self.is_bad:
            if self._open is None:
                start = at
                while text[start : start + 1] == " ":
                    start += 1
                if text[start : start + 1] == QUOTE:
                    self._open, at = [], start + 1
                else:
                    stop = text.find(self._separator, at)
                    stop = len(text) if stop < 0 else stop
                    self.cells.append(text[at:stop])
                    at = stop
            if self._open is not None:
                at = self._quoted(text, at, self._open)
                if self._open is not None:  # the line end belongs to the cell
                    self._open.append(line[len(text) :])
                    return
            if at >= len(text):
                return
            at += 1

    def _quoted(self, text: str, at: int, pieces: list[str]) -> int:
        """Parse inside quotes from position ``at``; returns the position after the cell."""
        while True:
            quote = text.find(QUOTE, at)
            if quote < 0:
                pieces.append(text[at:])
                return len(text)
            if self._quoting is Quoting.BACKSLASH and text[at:quote].endswith("\\"):
                pieces.append(text[at : quote - 1] + QUOTE)
                at = quote + 1
                continue
            after = quote + 1
            if text[after : after + 1] == QUOTE:
                pieces.append(text[at:after])
                at = after + 1
                continue
            while text[after : after + 1] == " ":
                after += 1
            if after == len(text) or text[after] == self._separator:
                self.cells.append("".join([*pieces, text[at:quote]]))
                self._open = None
                return after
            if self._quoting is not Quoting.LOOSE:
                self.is_bad = True
                return len(text)
            pieces.append(text[at : quote + 1])
            at = quote + 1


class _Reader:
    """Groups lines into rows of cells. ``width``: cells per row, once the header is known."""

    def __init__(self, lines: Iterator[Line], separator: str, limits: TableLimits) -> None:
        self.width = 0
        self._lines, self._separator, self._limits = lines, separator, limits
        self._pending: deque[Line] = deque()  # lines read in search of a closing quote, to be read again

    def __iter__(self) -> Iterator[tuple[Line, list[str] | str]]:
        """Each row's first line, and its cells or the reason why it cannot be read."""
        while (line := self._next()) is not None:
            if line.problem:
                yield line, line.problem
            elif QUOTE not in line.text:
                yield line, line.text.rstrip("\r\n").split(self._separator)
            else:
                yield line, self._quoted(line)

    def _next(self) -> Line | None:
        return self._pending.popleft() if self._pending else next(self._lines, None)

    def _quoted(self, first: Line) -> list[str] | str:
        row = Cells(self._separator)
        row.add(first.text)
        size, more = len(first.text), list[Line]()
        while row.is_open and not row.is_bad:
            line = self._next()
            if line is None:
                break
            more.append(line)
            size += len(line.text)
            if line.problem or size > self._limits.cell_bytes:
                break
            row.add(line.text)
        if not row.is_open and not row.is_bad and not self._swallowed(more):
            return row.cells
        self._pending.extendleft(reversed(more))
        return self._single_line(first)

    def _swallowed(self, lines: Sequence[Line]) -> bool:
        """Whether the lines inside a cell look like rows, so that the quote was closed by one of theirs."""
        if len(lines) < SWALLOWED or self.width < 3:
            return False
        alike = sum(len(_cells(line.text, self._separator) or ()) == self.width for line in lines)
        return alike > 0.8 * len(lines)

    def _single_line(self, line: Line) -> list[str] | str:
        """Parse one line with the other quoting styles, if that gives the expected number of cells."""
        for quoting in (Quoting.BACKSLASH, Quoting.LOOSE):
            cells = _cells(line.text, self._separator, quoting)
            if cells is not None and len(cells) == self.width:
                return cells
        return UNCLOSED


def read_delimited(
    lines: Iterator[Line], where: str, limits: TableLimits, is_header: IsHeader, notes: list[str]
) -> Table:
    """Read a CSV table. A first line may declare the separator (``sep=;``); comments and titles may precede the header.

    Raises:
        CatalogueError: it has no header, or one that cannot be read or has too many columns.
    """
    full = dropwhile(lambda line: not line.text.strip() and not line.problem, lines)
    first = list(islice(full, SNIFFED))
    separator = ""
    if first and first[0].text.strip().lower() in {f"sep={mark}" for mark in (*SEPARATORS, "")}:
        separator = first.pop(0).text.strip()[4:] or "\t"
    separator = separator or _separator(first)
    at = _header_place(first, separator, is_header)
    if at:
        notes.append(f"{at} line{'s' if at > 1 else ''} before the header skipped")
    reader = _Reader(chain(first[at:], full), separator, limits)
    rows = iter(reader)
    line, header = next(rows, (None, []))
    if line is not None and isinstance(header, str):
        raise CatalogueError(f"the header of {where} (line {line.number}) cannot be read: {header}")
    names = [name.strip() for name in header]
    reader.width = len(names)
    different = tuple(dict.fromkeys(names))
    check_columns(different, limits, where)
    repeated = frozenset(name for name in different if name and names.count(name) > 1)
    return Table(different, _rows(rows, names, repeated), repeated, notes)


def _rows(
    rows: Iterator[tuple[Line, list[str] | str]], names: Sequence[str], repeated: frozenset[str]
) -> Iterator[Row | BadRow]:
    width, are_full = len(names), True
    for line, cells in rows:
        if isinstance(cells, str):
            yield BadRow(line.number, f"the row cannot be read: {cells}")
            continue
        while len(cells) > width and not cells[-1].strip():
            cells.pop()  # trailing separators
        if cells and cells[0].strip() == names[0] and [cell.strip() for cell in cells] == names:
            continue  # the header again, in a table concatenated from several
        if len(cells) > width:
            yield BadRow(line.number, f"the row has {len(cells)} cells, the header {width}")
        elif len(cells) < width and are_full and not line.text.endswith(("\n", "\r")):
            yield BadRow(
                line.number, "the file ends in the middle of this row: it may have been cut short. Fetch it again"
            )
        elif any(map(str.strip, cells)):
            are_full = are_full and len(cells) == width
            values: dict[str, object] = dict.fromkeys(names, "")
            values.update(zip(names, cells, strict=False))
            for name in repeated:
                values[name] = _merged([cell for each, cell in zip(names, cells, strict=False) if each == name])
            yield Row(line.number, values)


def _merged(cells: Sequence[str]) -> str | list[str]:
    """The distinct non-empty cells of a column that occurs several times: a list if there are several."""
    different = [cell for cell in dict.fromkeys(cells) if cell.strip()]
    return different if len(different) > 1 else "".join(different)


def _cells(line: str, separator: str, quoting: Quoting = Quoting.DOUBLED) -> list[str] | None:
    """The cells of one line; None where it is not a complete row."""
    row = Cells(separator, quoting)
    row.add(line)
    return None if row.is_open or row.is_bad else row.cells


def _separator(lines: Sequence[Line]) -> str:
    """The separator that splits most lines into the same number of cells, and into the most."""

    def fit(mark: str) -> tuple[int, int]:
        counts = Counter(len(_cells(line.text, mark) or ()) for line in lines)
        count, times = max(counts.items(), key=lambda item: (item[0] > 1, item[1], item[0]), default=(0, 0))
        return (times if count > 1 else 0), count

    return max(SEPARATORS, key=fit)


def _header_place(lines: Sequence[Line], separator: str, is_header: IsHeader) -> int:
    """The number of the header line: the first with known names; else the first that is no comment and no title."""
    rows = [[cell.strip() for cell in _cells(line.text, separator) or ()] for line in lines]
    for place, cells in enumerate(rows):
        if is_header(cells):
            return place
    usual = max(Counter(map(len, filter(None, rows))).items(), key=lambda item: item[1], default=(0, 0))[0]
    for place, (line, cells) in enumerate(zip(lines, rows, strict=True)):
        is_title = usual > 1 and sum(map(bool, cells)) <= 1
        if line.text.strip() and not is_title and not line.text.startswith("#"):
            return place
    return 0
