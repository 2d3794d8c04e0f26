"""A column of texts in two memory-mapped files: a text is decoded when it is accessed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from image_similarity.errors import IndexDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

OFFSETS = np.dtype("<i8")


class Texts(Sequence[str]):
    """Concatenated UTF-8 texts: text ``i`` is ``blob[offsets[i]:offsets[i + 1]]``.

    Args:
        offsets: ``(n + 1,)`` int64.
        blob: ``(bytes,)`` uint8.
    """

    def __init__(self, offsets: NDArray[np.int64], blob: NDArray[np.uint8]) -> None:
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(blob):
            raise IndexDamagedError("a column of texts does not end where its file ends")
        # Memory views: texts are accessed one at a time, for which NumPy takes several times as long.
        self._offsets, self._blob = offsets.astype(np.int64, copy=False).data, blob.data

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        """A text, or a list of them.

        Raises:
            IndexDamagedError: the bytes are not UTF-8.
        """
        if isinstance(at, slice):
            return [self[position] for position in range(*at.indices(len(self)))]
        try:
            return self._bytes(range(len(self))[at]).decode()
        except UnicodeDecodeError as error:
            raise IndexDamagedError(f"text {at} of a column of texts is not UTF-8") from error

    def __iter__(self) -> Iterator[str]:
        return (self[position] for position in range(len(self)))

    def find(self, text: str) -> int:
        """The position of a text in a sorted column; -1 if it is not in it."""
        at = self.place(text)
        return at if at < len(self) and self._bytes(at) == text.encode(errors="surrogatepass") else -1

    def place(self, text: str, *, after: bool = False) -> int:
        """The insertion point of a text in a sorted column: before equal ones, or ``after`` them."""
        key = text.encode(errors="surrogatepass")  # UTF-8 sorts by code points, as Python and SQLite do
        return (bisect_right if after else bisect_left)(range(len(self)), key, key=self._bytes)

    def _bytes(self, at: int) -> bytes:
        return bytes(self._blob[self._offsets[at] : self._offsets[at + 1]])


class TextsOfRows(Sequence[str]):
    """One text per row, many rows sharing one: row ``i`` has ``texts[of_row[i]]``."""

    def __init__(self, texts: Sequence[str], of_row: NDArray[np.integer]) -> None:
        self._texts, self._of_row = texts, of_row

    def __len__(self) -> int:
        return len(self._of_row)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._texts[int(which)] for which in self._of_row[at]]
        return self._texts[int(self._of_row[at])]


def packed(texts: Iterable[str]) -> tuple[NDArray[np.int64], bytes]:
    """Concatenate texts: offsets ``(n + 1,)`` and UTF-8 bytes, as :class:`Texts` takes them."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, OFFSETS)
    np.cumsum([len(each) for each in encoded], out=offsets[1:])
    return offsets, b"".join(encoded)
