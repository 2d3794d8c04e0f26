"""What is no file with an end, a pipe, a device, a file of holes, is said to be none; nobody waits for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from image_similarity import Workspace
from image_similarity.catalogue.pairs import read_pairs
from image_similarity.catalogue.sources import open_source
from image_similarity.errors import CatalogueError, ImageError, ImageSimilarityError, UsageError
from image_similarity.images.decoding import read_bytes
from image_similarity.options import EvaluateOptions, ModelChoice
from image_similarity.settings import Settings
from tests.support.pictures import encoded, four_corners

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes with a name, devices and holes are POSIX's")
HOLES = 30_000_000_000  # bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue with one picture, and three names that are none."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "good_1.png").write_bytes(encoded(four_corners(), "PNG"))
    os.mkfifo(folder / "pipe_1.jpg")
    (folder / "zero_1.jpg").symlink_to("/dev/zero")
    with (folder / "holes_1.jpg").open("wb") as file:
        file.truncate(HOLES)
    return folder


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pipe_1.jpg", "it is a pipe or a device, not a file"),
        ("zero_1.jpg", "it is a pipe or a device, not a file"),
        ("holes_1.jpg", f"{HOLES} bytes are more than the limit of 200000000"),
    ],
)
def test_it_is_a_failure_of_reading(folder: Path, name: str, said: str) -> None:
    with pytest.raises(ImageError) as caught:
        read_bytes(folder / name)
    assert (caught.value.stage, caught.value.reason) == ("read", said)


def test_a_fit_names_them_and_uses_the_rest(folder: Path, tmp_path: Path) -> None:
    report = Workspace(tmp_path / "data").fit("shop", catalogue=folder, model="colour")
    assert report.counts.done == 1
    assert sorted(Path(failure.location).name for failure in report.failures) == [
        "holes_1.jpg",
        "pipe_1.jpg",
        "zero_1.jpg",
    ]


@pytest.mark.parametrize("name", ["pipe_1.jpg", "zero_1.jpg", "holes_1.jpg"])
def test_a_search_with_one_says_so(folder: Path, tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path / "data")
    workspace.fit("shop", catalogue=folder, model="colour")
    with pytest.raises(UsageError, match="cannot be used"):
        workspace.search("shop", folder / name, model="colour")


@pytest.mark.parametrize("name", ["pipe_1.jpg", "zero_1.jpg"])
def test_a_table_that_is_none_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(CatalogueError):
        list(open_source(str(folder / name), settings=Settings()))


def test_an_extract_of_local_images_names_them(folder: Path, tmp_path: Path) -> None:
    report = Workspace(tmp_path / "data").extract(str(folder), "shop")
    assert report.counts.known == 2  # one of them is too large, which is found out when it is read
    assert sorted(Path(failure.location).name for failure in report.failures) == ["pipe_1.jpg", "zero_1.jpg"]


@pytest.mark.parametrize("name", ["pipe_1.jpg", "zero_1.jpg", "holes_1.jpg"])
@pytest.mark.parametrize("what", ["description", "weights", "labels", "pairs", "products", "model.onnx"])
def test_no_other_file_that_a_person_names_is_waited_for_either(
    folder: Path, tmp_path: Path, name: str, what: str
) -> None:
    workspace, odd = Workspace(tmp_path / "data"), folder / name
    workspace.fit("shop", catalogue=folder, model="colour")
    described = tmp_path / "net.toml"
    described.write_text('name = "net"\nfile = "model.onnx"\ndimension = 3\ninput_size = 8\nlicence = "MIT"\n')
    asked: dict[str, Callable[[], object]] = {
        "description": lambda: workspace.fit("shop", folder, model=str(odd.rename(odd.with_suffix(".toml")))),
        "weights": lambda: workspace.fit("shop", folder, model=ModelChoice("VGG", weights=odd)),
        "labels": lambda: workspace.evaluate("shop", model="colour", options=EvaluateOptions(labels=odd)),
        "pairs": lambda: read_pairs(str(odd), Settings()),
        "products": lambda: workspace.fit("shop", folder, products=odd, model="colour"),
        "model.onnx": lambda: workspace.fit("shop", folder, model=str(described)),
    }
    odd.rename(tmp_path / "model.onnx") if what == "model.onnx" else None
    if (what, name) in (("weights", "holes_1.jpg"), ("model.onnx", "holes_1.jpg")):
        pytest.skip("networks may be large: it is read through, and refused by its digest")
    with pytest.raises(ImageSimilarityError):
        asked[what]()


def test_the_limit_of_a_photo_is_the_catalogues(folder: Path, tmp_path: Path) -> None:
    Workspace(tmp_path / "data").fit("shop", catalogue=folder, model="colour")
    size = (folder / "good_1.png").stat().st_size
    workspace = Workspace(settings=Settings(root=tmp_path / "data", max_file_bytes=size - 1))
    with pytest.raises(UsageError, match=f"{size} bytes are more than the limit of {size - 1}"):
        workspace.search("shop", folder / "good_1.png", model="colour")
