"""NumPy files: written a block at a time, memory-mapped, and checked against the expected type and shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.lib import format as npy

from image_similarity.errors import IndexDamagedError
from image_similarity.index.text_column import OFFSETS, Texts, packed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import DTypeLike, NDArray


class ArrayWriter:
    """A ``.npy`` file that grows along its first axis. Use it in a ``with`` block.

    Args:
        path: the file; an existing one is overwritten.
        dtype: of the numbers.
        row: the shape of one row; ``()`` for a plain sequence of numbers.
    """

    def __init__(self, path: Path, dtype: DTypeLike, row: tuple[int, ...] = ()) -> None:
        self._dtype, self._row, self.count = np.dtype(dtype), row, 0
        self._file = path.open("wb")
        self._header()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._header()

    def write(self, rows: Any) -> None:
        """Append rows ``(n, *row)``."""
        array = np.ascontiguousarray(rows, self._dtype)
        self._file.write(array.data.cast("B") if array.size else b"")
        self.count += len(array)

    def _header(self) -> None:
        # NumPy pads headers so that the first axis can grow: the final header fits in place of the first one.
        header = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False}
        npy.write_array_header_1_0(self._file, {**header, "shape": (self.count, *self._row)})


class TextsWriter:
    """Writes a column of texts, see :class:`Texts`: offsets to ``{name}.npy``, bytes to ``{name}.utf8``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._offsets = ArrayWriter(folder / f"{name}.npy", OFFSETS)
        self._blob = (folder / f"{name}.utf8").open("wb")
        self._bytes = 0
        self._offsets.write([0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._blob:
            self._offsets.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return self._offsets.count - 1

    def write(self, texts: Iterable[str]) -> None:
        offsets, blob = packed(texts)
        self._blob.write(blob)
        self._offsets.write(offsets[1:] + self._bytes)
        self._bytes += len(blob)


def map_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a ``.npy`` file, for reading.

    Raises:
        IndexDamagedError: it has another type or shape.
        FileNotFoundError: there is no such file.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged header makes NumPy raise nearly anything
        raise IndexDamagedError(f"{path} is damaged: {error}") from error
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise IndexDamagedError(
            f"{path} is damaged: it holds {array.shape} {array.dtype}, {shape} {np.dtype(dtype)} were expected"
        )
    plain: NDArray[Any] = array.view(np.ndarray)
    return plain


def map_bytes(path: Path) -> NDArray[np.uint8]:
    """Map a file's bytes, for reading.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not path.stat().st_size:  # an empty file cannot be mapped
        return np.empty(0, np.uint8)
    return np.memmap(path, np.uint8, "r").view(np.ndarray)


def map_texts(folder: Path, name: str, count: int) -> Texts:
    """Map a column of ``count`` texts.

    Raises:
        IndexDamagedError: it has another length.
        FileNotFoundError: one of its two files is missing.
    """
    return Texts(map_array(folder / f"{name}.npy", OFFSETS, (count + 1,)), map_bytes(folder / f"{name}.utf8"))
