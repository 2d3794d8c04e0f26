"""Dictionary-encoded columns of the catalogue's attributes: each row holds a small code for its value.

A column's distinct texts are sorted, and so are the numbers in them. So every condition of a filter is a few ranges of
codes, and evaluating it compares codes in a narrow integer type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import SEEK_END
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import IndexDamagedError
from image_similarity.index.amounts import numbers_of
from image_similarity.index.text_column import Texts, packed

if TYPE_CHECKING:
    from io import BufferedRandom
    from pathlib import Path

    from numpy.typing import NDArray

MISSING = 0  # the code of a row that has no value
MOST_ATTRIBUTES = 256  # a catalogue with more gets columns for the most frequent ones
MOST_COUNTED = 1024  # attributes whose frequency is counted for that; later ones are left out
ALIGNMENT = 64
LISTED_FROM = 5
PROVISIONAL = np.dtype("<u4")

Part = list[Any]  # location of an array in the file: dtype, offset in bytes, length
Parts = dict[str, dict[str, Part]]  # attribute -> kind of array -> location


@dataclass(frozen=True, slots=True)
class SortedRows:
    """A column's rows sorted by code, and by row among equal codes.

    Attributes:
        order: ``(rows,)`` uint32.
        starts: ``(codes + 1,)`` uint32: where in ``order`` each code begins, and the end.
        listed_from: rows are listed, which is faster than comparing all, if at most one row in this many has the code.
    """

    order: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    listed_from: int = LISTED_FROM

    def count(self, low: int, high: int) -> int:
        """How many rows have a code in ``low <= code < high``."""
        return int(self.starts[high]) - int(self.starts[low])

    def rows(self, low: int, high: int) -> NDArray[np.uint32]:
        """The rows with a code in ``low <= code < high``; ascending if that is a single code."""
        return self.order[self.starts[low] : self.starts[high]]


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of each row.

    Attributes:
        codes: ``(rows,)`` unsigned; 0 for a missing value, else 1 + the position of its text in ``texts``.
        texts: the distinct values, sorted.
        ranks: like ``codes`` but for ``numbers``, 0 also for a text that is not a number; None if no text is a number.
        numbers: the distinct numbers, sorted, float64.
        by_code: the rows sorted by rank if every text is a number, else by code; None in files of older versions.
        mixed: some texts are numbers and others are not.
    """

    codes: NDArray[np.unsignedinteger]
    texts: Texts
    ranks: NDArray[np.unsignedinteger] | None = None
    numbers: NDArray[np.float64] | None = None
    by_code: SortedRows | None = None
    mixed: bool = False

    @property
    def by_rank(self) -> SortedRows | None:
        """The rows sorted by rank; None if the file does not have them."""
        return None if self.mixed else self.by_code

    @property
    def by_text(self) -> SortedRows | None:
        """The rows sorted by code; None if the file does not have them."""
        return self.by_code if self.ranks is None or self.mixed else None


class Columns(Mapping[str, Column]):
    """The columns of one file, by attribute.

    Args:
        mapped: the file's bytes.
        parts: the location of each column's arrays.
        rows: the length of each column.
    """

    def __init__(self, mapped: NDArray[np.uint8], parts: Parts, rows: int) -> None:
        self._mapped, self._parts, self.rows = mapped, parts, rows
        self._opened: dict[str, Column] = {}

    def __getitem__(self, attribute: str) -> Column:
        """The column of an attribute; opened once, then cached.

        Raises:
            KeyError: no row has this attribute.
            IndexDamagedError: the file does not match ``parts`` and ``rows``.
        """
        if attribute not in self._opened:
            self._opened[attribute] = self._open(attribute, self._parts[attribute])
        return self._opened[attribute]

    def _open(self, attribute: str, parts: dict[str, Part]) -> Column:
        try:
            arrays = {kind: self._array(*part) for kind, part in parts.items()}
            by_code = SortedRows(arrays["order"], arrays["starts"]) if "order" in arrays else None
            texts = Texts(arrays["offsets"], arrays["blob"])
            mixed = "some_ranks" in arrays
            ranks, numbers = (arrays.get(f"some_{kind}" if mixed else kind) for kind in ("ranks", "numbers"))
            column = Column(arrays["codes"], texts, ranks, numbers, by_code, mixed)
        except (KeyError, TypeError, ValueError) as error:
            raise IndexDamagedError(f"the column of {attribute} is damaged") from error
        if len(column.codes) != self.rows:
            raise IndexDamagedError(f"the column of {attribute} has {len(column.codes)} rows, not {self.rows}")
        if by_code is not None and (len(by_code.order) != self.rows or by_code.starts[-1:].tolist() != [self.rows]):
            raise IndexDamagedError(f"the sorted rows of {attribute} are not those of its column")
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def _array(self, dtype: str, offset: int, length: int) -> NDArray[Any]:
        size = np.dtype(dtype).itemsize * length
        return self._mapped[offset : offset + size].view(dtype)


class ColumnsWriter:
    """Takes the rows' attributes a block at a time, then writes ``columns.bin``.

    Memory holds the distinct values of each attribute and one block; the rows are spooled to a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool = folder / "columns.part"
        self._blocks: list[tuple[int, int, int]] = []  # offset in the spool file, attributes, rows
        self._codes: dict[str, dict[str, int]] = {}  # attribute -> value -> provisional code, by first occurrence
        self._places: dict[str, int] = {}
        self._uses: Counter[str] = Counter()
        self._left_out: set[str] = set()

    @property
    def left_out(self) -> int:
        """How many attributes have no column, being beyond the limit."""
        return len(self._left_out)

    def write(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Append rows: the attributes of each."""
        cache: dict[int, list[tuple[int, int]]] = {}  # most rows share their attributes with the row before
        coded = []
        for attributes in rows:
            pairs = cache.get(id(attributes))
            if pairs is None:
                pairs = cache[id(attributes)] = self._coded(attributes)
            coded.append(pairs)
        block = np.zeros((len(self._codes), len(rows)), PROVISIONAL)
        for row, pairs in enumerate(coded):
            for place, code in pairs:
                block[place, row] = code
        with self._spool.open("ab") as file:
            self._blocks.append((file.tell(), *block.shape))
            file.write(block.tobytes())

    def finish(self) -> Parts:
        """Write the file; returns where each column is in it."""
        parts: Parts = {}
        with (self._folder / "columns.bin").open("w+b") as file:
            kept = {attribute for attribute, _ in self._uses.most_common(MOST_ATTRIBUTES)}
            self._left_out |= self._codes.keys() - kept
            for place, (attribute, codes) in enumerate(self._codes.items()):
                if attribute in kept:
                    parts[attribute] = self._column(file, place, codes)
                codes.clear()
        self._spool.unlink(missing_ok=True)
        return dict(sorted(parts.items()))

    def _coded(self, attributes: Mapping[str, str]) -> list[tuple[int, int]]:
        pairs = []
        for attribute, value in attributes.items():
            if not value or attribute in self._left_out:
                continue
            if attribute not in self._codes:
                if len(self._codes) == MOST_COUNTED:
                    self._left_out.add(attribute)
                    continue
                self._places[attribute] = len(self._codes)
                self._codes[attribute] = {}
            self._uses[attribute] += 1
            codes = self._codes[attribute]
            pairs.append((self._places[attribute], codes.setdefault(value, len(codes) + 1)))
        return pairs

    def _column(self, file: BufferedRandom, place: int, codes: dict[str, int]) -> dict[str, Part]:
        texts = sorted(codes)
        provisional = np.array([codes[text] for text in texts])
        of_text = np.zeros(len(texts) + 1, np.int64)
        of_text[provisional] = np.arange(1, len(texts) + 1)
        offsets, blob = packed(texts)
        parts = {
            "codes": self._recoded(file, place, of_text),
            "offsets": _put(file, offsets),
            "blob": _put(file, np.frombuffer(blob, np.uint8)),
        }
        parsed = numbers_of(texts)
        numeric = np.array([number is not None for number in parsed], bool)
        if numeric.any():
            numbers, rank = np.unique(np.array([each for each in parsed if each is not None]), return_inverse=True)
            of_number = np.zeros(len(texts) + 1, np.int64)
            of_number[provisional[numeric]] = rank + 1
            some = "" if numeric.all() else "some_"
            parts[f"{some}ranks"] = self._recoded(file, place, of_number)
            parts[f"{some}numbers"] = _put(file, numbers.astype("<f8"))
        parts["order"], parts["starts"] = _sorted_rows(file, parts.get("ranks", parts["codes"]))
        return parts

    def _recoded(self, file: BufferedRandom, place: int, codes: NDArray[np.int64]) -> Part:
        """Write a column's final codes: a row's provisional code is the position of its final one in ``codes``."""
        narrow = codes.astype(_narrowest(int(codes.max())))
        offset, rows = _aligned(file), 0
        with self._spool.open("rb") as spool:
            for start, attributes, length in self._blocks:
                block = np.zeros(length, PROVISIONAL)
                if place < attributes:  # else the attribute first occurs in a later block
                    spool.seek(start + place * length * PROVISIONAL.itemsize)
                    block = np.frombuffer(spool.read(length * PROVISIONAL.itemsize), PROVISIONAL)
                file.write(narrow[block].tobytes())
                rows += length
        return [narrow.dtype.str, offset, rows]


def _sorted_rows(file: BufferedRandom, part: Part) -> tuple[Part, Part]:
    """Write a column's rows sorted by code, and where each code begins."""
    dtype, offset, rows = part
    file.seek(offset)
    codes = np.frombuffer(file.read(np.dtype(dtype).itemsize * rows), dtype)
    file.seek(0, SEEK_END)
    ends = np.cumsum(np.bincount(codes, minlength=1))
    order = _put(file, np.argsort(codes, kind="stable").astype("<u4"))
    return order, _put(file, np.concatenate([[0], ends]).astype("<u4"))


def _narrowest(largest: int) -> np.dtype[Any]:
    return np.dtype("u1" if largest < 1 << 8 else "<u2" if largest < 1 << 16 else "<u4")


def _aligned(file: BufferedRandom) -> int:
    file.write(bytes(-file.tell() % ALIGNMENT))
    return file.tell()


def _put(file: BufferedRandom, array: NDArray[Any]) -> Part:
    offset = _aligned(file)
    file.write(array.tobytes())
    return [array.dtype.str, offset, len(array)]
