"""The cache of built networks heals itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from image_similarity.models import keras_networks


def test_a_cache_folder_that_has_lost_its_graph_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path(command[-1]).write_text("a graph")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", build)
    folder = tmp_path / "VGG-253f8cb5-nchw"
    folder.mkdir()
    (folder / "model.bin").write_text("left over")
    keras_networks._build("VGG", tmp_path / "weights.h5", folder)
    assert [path.name for path in folder.iterdir()] == ["model.xml"]
    assert list(tmp_path.iterdir()) == [folder]
