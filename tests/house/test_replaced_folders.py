"""A folder is replaced whole: what was left over in it goes, and a failure leaves what was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_similarity.util.files import replacing_folder


def test_what_was_left_over_goes_with_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "VGG-253f8cb5-nchw"
    folder.mkdir()
    (folder / "model.bin").write_text("left over")
    with replacing_folder(folder) as temporary:
        (temporary / "model.xml").write_text("a graph")
    assert [path.name for path in folder.iterdir()] == ["model.xml"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failure_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "model.xml").write_text("a graph")
    with pytest.raises(RuntimeError), replacing_folder(folder) as temporary:
        (temporary / "model.xml").write_text("half of one")
        raise RuntimeError("the build broke off")
    assert (folder / "model.xml").read_text() == "a graph"
    assert list(tmp_path.iterdir()) == [folder]
