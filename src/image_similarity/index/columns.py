"""The catalogue's attributes, a column each: what a row has is a small number that stands for a text.

A column's texts are sorted, and so are the numbers that stand in them. So whatever a filter asks for is a run of codes,
and comparing codes in their narrow type is all that it costs.
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
MOST_ATTRIBUTES = 256  # a catalogue of more gets columns for those that most products have
MOST_MET = 1024  # attributes that are counted for it, those that are met first
ALIGNMENT = 64
LISTED_FROM = 5
PROVISIONAL = np.dtype("<u4")

Part = list[Any]  # where in the file an array is: dtype, offset in bytes, length
Parts = dict[str, dict[str, Part]]  # attribute -> kind of part -> where


@dataclass(frozen=True, slots=True)
class SortedRows:
    """A column's rows sorted by code, and by row among equal codes.

    Attributes:
        order: ``(rows,)`` uint32.
        starts: ``(codes + 1,)`` uint32: where in ``order`` each code begins, and the end.
        listed_from: rows of a code that at most one in so many has are sooner listed than all compared.
    """

    order: NDArray[np.uint32]
    starts: NDArray[np.uint32]
    listed_from: int = LISTED_FROM

    def count(self, low: int, high: int) -> int:
        """How many rows have the codes from ``low`` on, before ``high``."""
        return int(self.starts[high]) - int(self.starts[low])

    def rows(self, low: int, high: int) -> NDArray[np.uint32]:
        """These rows; in order where it is one code."""
        return self.order[self.starts[low] : self.starts[high]]


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of each row.

    Attributes:
        codes: ``(rows,)`` unsigned; 0 where the row has no value, else 1 + the place of its text in ``texts``.
        texts: every value once, sorted.
        ranks: like ``codes`` for ``numbers``, 0 also where a text is no number; None where none is.
        numbers: every number once, sorted, float64.
        by_code: the rows sorted by rank where every text is a number, else by code; None in files from before there was
            this.
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
        """The rows sorted by rank, where the file has them so."""
        return None if self.mixed else self.by_code

    @property
    def by_text(self) -> SortedRows | None:
        """The rows sorted by code, where the file has them so."""
        return self.by_code if self.ranks is None or self.mixed else None


class Columns(Mapping[str, Column]):
    """The columns of one file, by attribute.

    Args:
        mapped: the file's bytes.
        parts: where each column's arrays are.
        rows: how many rows each column has.
    """

    def __init__(self, mapped: NDArray[np.uint8], parts: Parts, rows: int) -> None:
        self._mapped, self._parts, self.rows = mapped, parts, rows
        self._opened: dict[str, Column] = {}

    def __getitem__(self, attribute: str) -> Column:
        """A column.

        Raises:
            KeyError: no row has this attribute.
            IndexDamagedError: the file is not what its directory says.
        """
        if attribute not in self._opened:
            self._opened[attribute] = self._open(attribute, self._parts[attribute])
        return self._opened[attribute]

    def _open(self, attribute: str, parts: dict[str, Part]) -> Column:
        try:
            arrays = {kind: self._array(*where) for kind, where in parts.items()}
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

    In memory are the different values of each attribute, and one block; the rows wait in a file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting = folder / "columns.part"
        self._blocks: list[tuple[int, int, int]] = []  # offset in the waiting file, attributes, rows
        self._codes: dict[str, dict[str, int]] = {}  # attribute -> value -> code, in the order they are met
        self._places: dict[str, int] = {}
        self._uses: Counter[str] = Counter()
        self._left_out: set[str] = set()

    @property
    def left_out(self) -> int:
        """How many attributes got no column."""
        return len(self._left_out)

    def write(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Append rows: the attributes of each."""
        known: dict[int, list[tuple[int, int]]] = {}  # most rows share their attributes with the row before
        coded = []
        for attributes in rows:
            pairs = known.get(id(attributes))
            if pairs is None:
                pairs = known[id(attributes)] = self._coded(attributes)
            coded.append(pairs)
        block = np.zeros((len(self._codes), len(rows)), PROVISIONAL)
        for row, pairs in enumerate(coded):
            for place, code in pairs:
                block[place, row] = code
        with self._waiting.open("ab") as file:
            self._blocks.append((file.tell(), *block.shape))
            file.write(block.tobytes())

    def finish(self) -> Parts:
        """Write the file; where each column is in it."""
        parts: Parts = {}
        with (self._folder / "columns.bin").open("w+b") as file:
            kept = {attribute for attribute, _ in self._uses.most_common(MOST_ATTRIBUTES)}
            self._left_out |= self._codes.keys() - kept
            for place, (attribute, codes) in enumerate(self._codes.items()):
                if attribute in kept:
                    parts[attribute] = self._column(file, place, codes)
                codes.clear()
        self._waiting.unlink(missing_ok=True)
        return dict(sorted(parts.items()))

    def _coded(self, attributes: Mapping[str, str]) -> list[tuple[int, int]]:
        pairs = []
        for attribute, value in attributes.items():
            if not value or attribute in self._left_out:
                continue
            if attribute not in self._codes:
                if len(self._codes) == MOST_MET:
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
        met = np.array([codes[text] for text in texts])
        of_text = np.zeros(len(texts) + 1, np.int64)
        of_text[met] = np.arange(1, len(texts) + 1)
        offsets, blob = packed(texts)
        parts = {
            "codes": self._recoded(file, place, of_text),
            "offsets": _put(file, offsets),
            "blob": _put(file, np.frombuffer(blob, np.uint8)),
        }
        read = numbers_of(texts)
        are = np.array([number is not None for number in read], bool)
        if are.any():
            numbers, rank = np.unique(np.array([number for number in read if number is not None]), return_inverse=True)
            of_number = np.zeros(len(texts) + 1, np.int64)
            of_number[met[are]] = rank + 1
            some = "" if are.all() else "some_"
            parts[f"{some}ranks"] = self._recoded(file, place, of_number)
            parts[f"{some}numbers"] = _put(file, numbers.astype("<f8"))
        parts["order"], parts["starts"] = _sorted_rows(file, parts.get("ranks", parts["codes"]))
        return parts

    def _recoded(self, file: BufferedRandom, place: int, codes: NDArray[np.int64]) -> Part:
        """A row's provisional code is the place of its final one in ``codes``."""
        narrow = codes.astype(_narrowest(int(codes.max())))
        offset, rows = _aligned(file), 0
        with self._waiting.open("rb") as waiting:
            for start, attributes, length in self._blocks:
                block = np.zeros(length, PROVISIONAL)
                if place < attributes:  # an attribute that was first met later is missing here
                    waiting.seek(start + place * length * PROVISIONAL.itemsize)
                    block = np.frombuffer(waiting.read(length * PROVISIONAL.itemsize), PROVISIONAL)
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
