"""A pytest plugin: the first version's two networks with weights from a seed, and what Keras makes of them.

Each is made at most once a session, and so is the graph that our code builds from it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import EmbeddingModel, no_progress
from image_similarity.util.files import locked
from tests.support.models import load_model


@dataclass(frozen=True, slots=True)
class Seeded:
    """One network's weights in Keras' own layout, and Keras' vectors of the six views of a picture."""

    name: str
    weights: Path
    digest: str  # MD5
    photo: Path
    pixels: NDArray[np.uint8]  # (6, size, size, 3)
    vectors: NDArray[np.float32]  # (6, dimension), as ``predict`` gives them

    @property
    def choice(self) -> ModelChoice:
        """As a user would ask for it."""
        return ModelChoice(self.name, self.weights, self.digest)


PATIENCE = 300.0  # seconds that another worker has to make a network


@pytest.fixture(scope="session")
def seeded_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Path]:
    """What all workers of a session make once, together. Whoever leaves last removes it: 300 MB."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "seeded"
    folder.mkdir(exist_ok=True)
    in_use = folder / f"used-by-{worker_id}"
    in_use.touch()
    yield folder
    in_use.unlink()
    if not list(folder.glob("used-by-*")):
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def seeded(seeded_folder: Path) -> Callable[[str], Seeded]:
    """Gives a network by name."""

    @cache
    def network(name: str) -> Seeded:
        weights, told = seeded_folder / f"{name}.h5", seeded_folder / f"{name}.npz"
        with locked(seeded_folder / "lock", PATIENCE, "another worker makes one"):
            if not (seeded_folder / f"{name}.made").exists():
                subprocess.run(
                    [sys.executable, str(Path(__file__).with_name("keras_reference.py")), name, str(seeded_folder)],
                    env=os.environ | {"KERAS_BACKEND": "openvino", "KERAS_HOME": str(seeded_folder / "keras")},
                    check=True,
                )
                (seeded_folder / f"{name}.made").touch()
        arrays = np.load(told)
        return Seeded(
            name=name,
            weights=weights,
            digest=hashlib.md5(weights.read_bytes()).hexdigest(),
            photo=seeded_folder / "photo.jpg",
            pixels=arrays["pixels"],
            vectors=arrays["vectors"],
        )

    return network


@pytest.fixture(scope="session")
def seeded_settings(seeded_folder: Path) -> Settings:
    """A workspace that keeps the built graphs for the whole session; no address to download anything from."""
    return Settings(root=seeded_folder / "built", weights_address="http://127.0.0.1:9/")


@pytest.fixture(scope="session")
def seeded_model(
    seeded: Callable[[str], Seeded], seeded_settings: Settings, seeded_folder: Path
) -> Callable[[str], EmbeddingModel]:
    """Gives our model of a network by name, built and loaded."""

    @cache
    def model(name: str) -> EmbeddingModel:
        choice = seeded(name).choice
        with locked(seeded_folder / "built.lock", PATIENCE, "another worker builds one"):
            return load_model(choice, seeded_settings, no_progress)

    return model
