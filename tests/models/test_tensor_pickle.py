"""Files of tensors in PyTorch's old form: read without PyTorch, and without running what they contain."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.errors import WeightsError
from image_similarity.models.tensor_pickle import MAGIC, read_tensors

PREAMBLE = b"".join(pickle.dumps(value, 2) for value in (MAGIC, 1001, {"little_endian": True}))
EMPTY = b"ccollections\nOrderedDict\n)R"


def pushed(value: Any) -> bytes:
    """The operations that put a plain value on a pickle's stack."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key: str, kind: str, count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """The operations of one tensor, as ``torch.save`` writes them."""
    storage = b"(" + pushed("storage") + f"ctorch\n{kind}\n".encode() + pushed(key) + pushed("cpu") + pushed(count)
    view = pushed(offset) + pushed(shape) + pushed(strides) + pushed(False) + EMPTY
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"NtQ" + view + b"tR"


def saved(path: Path, tensors: dict[str, bytes], storages: dict[str, NDArray[Any]]) -> Path:
    """A file of these tensors over these storages."""
    table = EMPTY + b"(" + b"".join(pushed(name) + each for name, each in tensors.items()) + b"u."
    elements = b"".join(len(each).to_bytes(8, "little") + each.tobytes() for each in storages.values())
    path.write_bytes(PREAMBLE + b"\x80\x02" + table + pickle.dumps(list(storages), 2) + elements)
    return path


def test_tensors_are_views_of_storages(tmp_path: Path) -> None:
    numbers, count = np.arange(8, dtype="<f4"), np.array([1 << 40], "<i8")
    tensors = {
        "rows": tensor("7", "FloatStorage", 8, 2, (2, 3), (3, 1)),
        "transposed": tensor("7", "FloatStorage", 8, 2, (3, 2), (1, 3)),
        "scalar": tensor("8", "LongStorage", 1, 0, (), ()),
    }
    read = read_tensors(saved(tmp_path / "w.pth", tensors, {"7": numbers, "8": count}))
    assert read["rows"].tolist() == [[2, 3, 4], [5, 6, 7]]
    assert read["transposed"].tolist() == [[2, 5], [3, 6], [4, 7]]
    assert read["transposed"].flags.c_contiguous
    assert read["scalar"].item() == 1 << 40


def test_a_file_that_calls_something_is_refused_and_calls_nothing(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    call = b"cos\nmkdir\n(" + pushed(str(touched)) + b"tR"
    path = saved(tmp_path / "w.pth", {"a": call}, {})
    with pytest.raises(WeightsError, match=r"os\.mkdir, which is no tensor"):
        read_tensors(path)
    assert not touched.exists()


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((9,), (1,), 0), ((2, 2), (7, 2), 0), ((8,), (1,), 1), ((2,), (-1,), 0), ((2,), (1,), -1)],
    ids=["long", "far", "shifted", "backwards", "before"],
)
def test_a_tensor_beyond_its_storage_is_refused(
    tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    tensors = {"a": tensor("0", "FloatStorage", 8, offset, shape, strides)}
    with pytest.raises(WeightsError, match="beyond its storage"):
        read_tensors(saved(tmp_path / "w.pth", tensors, {"0": np.zeros(8, "<f4")}))


def test_every_cut_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    tensors = {"a": tensor("0", "FloatStorage", 8, 0, (8,), (1,))}
    whole = saved(tmp_path / "w.pth", tensors, {"0": np.zeros(8, "<f4")}).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="is no file of tensors"):
            read_tensors(cut)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    with pytest.raises(WeightsError, match="No such file"):
        read_tensors(path)
    path.write_bytes(pickle.dumps("hello") * 5)
    with pytest.raises(WeightsError, match="does not begin as PyTorch's files do"):
        read_tensors(path)
