"""Read the tensors of a PyTorch file of the old form, without PyTorch and without running anything that it contains.

The form (``torch.save`` until 1.5, ``torch/serialization.py``): three small pickles, then the pickle of a dictionary of
tensors, each a view of a numbered storage, then the list of the storages' keys, then of each storage the number of its
elements, 8 bytes, and the elements.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from image_similarity.errors import WeightsError
from image_similarity.util.files import open_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Tensors = dict[str, "NDArray[Any]"]

MAGIC = 0x1950A86A20F9469CFC6C
PREAMBLE = 3  # the magic number, the protocol, the sizes of the machine that wrote it
FLOATS, INTEGERS = np.dtype("<f4"), np.dtype("<i8")
MOST_ELEMENTS = 1 << 32


class _Storage:
    """A storage whose elements follow behind the pickle."""

    def __init__(self, kind: np.dtype[Any]) -> None:
        self.kind, self.elements = kind, np.empty(0, kind)


class _View:
    """A tensor of the pickle: which elements of a storage it is. Called as PyTorch's function that rebuilds tensors."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any):
        self._storage, self._offset, self._shape, self._strides = storage, offset, shape, strides

    def array(self) -> NDArray[Any]:
        """The tensor, contiguous.

        Raises:
            ValueError: it reaches beyond its storage.
        """
        elements, sizes = self._storage.elements, (self._offset, *self._shape, *self._strides)
        reach = sum((size - 1) * stride for size, stride in zip(self._shape, self._strides, strict=True))
        if min(sizes) < 0 or self._offset + reach >= len(elements):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stride * elements.itemsize for stride in self._strides]
        view = np.lib.stride_tricks.as_strided(elements[self._offset :], self._shape, strides, writeable=False)
        return np.ascontiguousarray(view)


class _Unpickler(pickle.Unpickler):
    """Knows four names and refuses all others, so that a file cannot call anything else."""

    allowed: ClassVar = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _View,
        ("torch", "FloatStorage"): FLOATS,
        ("torch", "LongStorage"): INTEGERS,
    }

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages = dict[str, _Storage]()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise ValueError(f"it uses {module}.{name}, which is no tensor") from None

    def persistent_load(self, pid: Any) -> _Storage:
        _, kind, key, *_ = pid
        return self.storages.setdefault(str(key), _Storage(kind))


def read_tensors(path: Path) -> Tensors:
    """Read a file of named tensors.

    Args:
        path: of a file that ``torch.save`` wrote in its old form; tensors of float32 and int64.

    Returns:
        The arrays by name, contiguous.

    Raises:
        WeightsError: it cannot be read, is damaged, or contains anything but tensors.
    """
    try:
        with open_file(path) as file:
            return _read(file)
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise WeightsError(f"{path} is no file of tensors: {error or type(error).__name__}") from error


def _read(file: BinaryIO) -> Tensors:
    preamble = [_Unpickler(file).load() for _ in range(PREAMBLE)]
    if preamble[0] != MAGIC:
        raise ValueError("it does not begin as PyTorch's files do")
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    for key in _Unpickler(file).load():
        _fill(unpickler.storages[str(key)], file)
    return {str(name): view.array() for name, view in tensors.items()}


def _fill(storage: _Storage, file: BinaryIO) -> None:
    count = int.from_bytes(file.read(8), "little")
    if count > MOST_ELEMENTS:
        raise ValueError(f"a storage of {count} elements")
    data = file.read(count * storage.kind.itemsize)
    storage.elements = np.frombuffer(data, storage.kind, count)
