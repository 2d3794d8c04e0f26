"""Killed builds, damaged files, replacement while reading: the index matches the store or is built again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.errors import IndexDamagedError, OutputError
from image_similarity.images.views import ONE_VIEW
from image_similarity.index import arrays
from image_similarity.index.build import index_folder
from image_similarity.index.filters import Equals, mask
from image_similarity.index.generations import IndexFolder
from image_similarity.index.stored_index import StoredIndex
from image_similarity.neighbours.index_choice import IndexChoice
from image_similarity.types import Progress
from image_similarity.util.sealed_json import read_sealed, write_sealed
from tests.conftest import paint
from tests.index.test_index import in_store, many, opened, same
from tests.support.interrupted import KILLED, Moment, counts, disk_full_at, fit_command, run, run_into
from tests.support.stock import KEY, SHOP, CopyIndex, Picture, stock

FILES = [
    *("vectors.npy", "row_product.npy", "row_image.npy", "views.npy", "identities.npy", "product_starts.npy"),
    *("product_ids.npy", "product_ids.utf8", "image_ids.npy", "image_ids.utf8", "columns.bin", "manifest.json"),
    *("large/copy.npy", "large/how.json"),
]


def place(root: Path) -> IndexFolder:
    return index_folder(root / "index", SHOP, KEY, ONE_VIEW)


def damaged(path: Path, how: str) -> None:
    if how == "gone":
        path.unlink()
    elif how == "shorter":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    else:  # the size is right
        path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_noticed_and_the_index_built_again(name: str, tmp_path: Path) -> None:
    stock(tmp_path, many(20).values(), {"p003": {"size": "M"}})
    for how in ("gone", "shorter", "empty"):
        damaged(opened(tmp_path).folder / name, how)
        with pytest.raises(IndexDamagedError):
            StoredIndex.open(place(tmp_path), CopyIndex)
        index = opened(tmp_path)
        same(index, in_store(tmp_path, ONE_VIEW))
        np.testing.assert_array_equal(index.index.search(index.features.vectors, 1).rows[:, 0], range(20))
        assert np.flatnonzero(mask(Equals("size", "M"), index.columns, 20)).tolist() == [6, 7]


@pytest.mark.parametrize(
    "name", [*(name for name in FILES if name.endswith(".npy") and "/" not in name), "manifest.json"]
)
def test_a_file_of_the_right_size_with_another_head_is_noticed(name: str, tmp_path: Path) -> None:
    stock(tmp_path, many(20).values())
    damaged(opened(tmp_path).folder / name, "other bytes")
    with pytest.raises(IndexDamagedError):
        StoredIndex.open(place(tmp_path), CopyIndex)
    same(opened(tmp_path), in_store(tmp_path, ONE_VIEW))


def test_an_array_of_another_shape_or_type_is_noticed(tmp_path: Path) -> None:
    stock(tmp_path, many(20).values())
    path = opened(tmp_path).folder / "row_image.npy"
    np.save(path, np.zeros(40, "<i2"))
    with pytest.raises(IndexDamagedError, match=r"row_image\.npy is damaged: it holds \(40,\) int16, \(20,\) int32"):
        arrays.map_array(path, "<i4", (20,))
    with pytest.raises(IndexDamagedError, match=r"row_image\.npy"):
        StoredIndex.open(place(tmp_path))


def test_a_number_that_was_changed_is_noticed(tmp_path: Path) -> None:
    stock(tmp_path, many(20).values(), {"p003": {"size": "M"}})
    for name in FILES:
        path = opened(tmp_path).folder / name
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data)
        with pytest.raises(IndexDamagedError):
            StoredIndex.open(place(tmp_path), CopyIndex)
    same(opened(tmp_path), in_store(tmp_path, ONE_VIEW))


@pytest.mark.parametrize("line", ["", "g000009", "../../../database", "\0", "g1"])
def test_a_line_that_names_no_generation_leads_nowhere(line: str, tmp_path: Path) -> None:
    stock(tmp_path, many(4).values())
    opened(tmp_path)
    (place(tmp_path).folder / "current").write_text(line)
    with pytest.raises(IndexDamagedError):
        StoredIndex.open(place(tmp_path))
    same(opened(tmp_path), in_store(tmp_path, ONE_VIEW))
    assert (tmp_path / "database" / "features.db").exists()


def test_a_format_of_another_version_is_built_again(tmp_path: Path) -> None:
    stock(tmp_path, many(4).values())
    path = opened(tmp_path).folder / "manifest.json"
    manifest = read_sealed(path)
    write_sealed(path, manifest | {"format": 99})
    assert opened(tmp_path).folder.name == "g000002"
    path = opened(tmp_path).folder / "manifest.json"
    write_sealed(path, manifest | {"unheard_of": 1})
    assert opened(tmp_path).folder.name == "g000003"


def test_a_reader_whose_generation_goes_meanwhile_takes_the_next(tmp_path: Path) -> None:
    stock(tmp_path, many(4).values())
    opened(tmp_path)
    replaced: list[Path] = []

    class Late(CopyIndex):
        @classmethod
        def open(cls, vectors: NDArray[np.float16], folder: Path) -> CopyIndex:
            if not replaced:  # the other files are mapped already
                replaced.append(folder)
                stock(tmp_path, many(6).values())
                opened(tmp_path)
            return super().open(vectors, folder)

    index = StoredIndex.open(place(tmp_path), Late)
    assert replaced and not replaced[0].exists()
    assert index is not None
    same(index, in_store(tmp_path, ONE_VIEW))


REBUILDING = """
import sys
from pathlib import Path
from tests.support.stock import stock
from tests.index.test_index import many, opened
root = Path(sys.argv[1])
for turn in range(6):
    stock(root, many(400 + 200 * (turn % 2), content=1000 * (turn % 2)).values())
    opened(root)
"""


def test_one_process_reads_while_another_replaces(tmp_path: Path) -> None:
    states = {}
    for turn in range(2):
        stock(tmp_path, many(400 + 200 * turn, content=1000 * turn).values())
        states[opened(tmp_path).manifest.rows] = in_store(tmp_path, ONE_VIEW)
    seen = set()
    command = [sys.executable, "-c", REBUILDING, str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            index = StoredIndex.open(place(tmp_path), CopyIndex)
            assert index is not None
            rows = index.manifest.rows
            np.testing.assert_array_equal(index.features.vectors, states[rows].vectors)
            assert index.features.image_ids[rows - 1] == states[rows].image_ids[rows - 1]
            assert index.index.search(index.features.vectors[rows - 1 :], 1).rows.tolist() == [[rows - 1]]
            seen.add(index.folder.name)
        assert process.returncode == 0, process.stderr and process.stderr.read().decode()
    assert len(seen) > 2


def test_two_that_want_it_at_once_build_it_once(tmp_path: Path) -> None:
    stock(tmp_path, many(40).values())
    built: list[Path] = []

    class Slow(CopyIndex):
        @classmethod
        def build(cls, vectors: NDArray[np.float16], folder: Path, progress: Progress) -> CopyIndex:
            built.append(folder.parent)
            if len(built) == 1:
                second.start()
                second.join(0.3)  # it cannot end before this one does
            return super().build(vectors, folder, progress)

    choice = IndexChoice(Slow, exact_up_to=0)
    second = Thread(target=lambda: opened(tmp_path, choice=choice))
    same(opened(tmp_path, choice=choice), in_store(tmp_path, ONE_VIEW))
    second.join(60)
    assert [folder.name for folder in built] == ["g000001"]


# Killed, full, out of reach ---------------------------------------------------------------------------------------


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    for number in range(8):
        paint(tmp_path / "pictures" / f"p{number // 2}_{number}.png", (30 * number, 255 - 30 * number, 99))
    return tmp_path / "pictures"


def generations(workspace: Path) -> list[str]:
    return sorted(path.name for path in workspace.glob("index/shop/colour-shape-1/g*"))


def test_killed_while_it_is_built(catalogue: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "data"
    command = fit_command(workspace, catalogue)
    ask = ["search", str(catalogue / "p0_0.png"), *("-d", "shop", "-m", "colour-shape", "-w", str(workspace))]
    for moment in (
        Moment("image_similarity.index.writer:_RowsWriter", "write"),
        Moment("image_similarity.index.columns:ColumnsWriter", "finish"),
        Moment("image_similarity.index.writer", "write_manifest"),
        Moment("os", "fsync", 3),
        Moment("pathlib:Path", "replace"),
    ):
        assert run_into(KILLED, moment, command).returncode == -signal.SIGKILL
        assert generations(workspace) == ["g000001"]  # half of one, which nothing names
        assert not list(workspace.glob("index/shop/*/current"))
    found = run([*ask, "--format", "json"])  # a search builds it too
    assert json.loads(found.stdout)["matches"][0]["product_id"] == "p0"
    assert generations(workspace) == ["g000001"]
    (catalogue / "p0_0.png").unlink()
    for moment in (Moment("pathlib:Path", "replace"), Moment("shutil", "rmtree", 2)):
        assert run_into(KILLED, moment, command).returncode == -signal.SIGKILL
        assert generations(workspace) == ["g000001", "g000002"]
    assert counts(run(command)) == (0, 7, 0)  # up to date: the old one is in nobody's way until there is a new one
    (catalogue / "p0_1.png").unlink()
    assert counts(run(command)) == (0, 6, 0)
    assert generations(workspace) == ["g000003"]


def test_a_full_disk_while_it_is_built_leaves_the_old_one(catalogue: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "data"
    command = fit_command(workspace, catalogue)
    counts(run(command))
    paint(catalogue / "p9_9.png", (7, 7, 7))
    full = run_into(disk_full_at(500), Moment("image_similarity.index.writer", "write_generation"), command)
    assert full.returncode == 1
    assert "colour-shape-1 cannot be written: File too large" in full.stderr
    assert generations(workspace) == ["g000001"]
    assert counts(run(command)) == (0, 9, 0)
    assert generations(workspace) == ["g000002"]


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    stock(tmp_path, many(4).values())
    (tmp_path / "index").write_text("in the way")
    with pytest.raises(OutputError, match=r"the index in .*mean-colour-1 cannot be written: (Not a dir|File exists)"):
        opened(tmp_path)


def test_what_cannot_be_removed_stays_and_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock(tmp_path, many(4).values())
    old = opened(tmp_path).folder
    stock(tmp_path, [*many(4).values(), Picture("new.jpg", "new", 7)])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *arguments, **named: None)  # as where a file is in use
        same(opened(tmp_path), in_store(tmp_path, ONE_VIEW))
    assert old.exists()
    stock(tmp_path, many(4).values())
    same(opened(tmp_path), in_store(tmp_path, ONE_VIEW))
    assert [path.name for path in old.parent.glob("g*")] == ["g000003"]
