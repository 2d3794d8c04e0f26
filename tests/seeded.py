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

from image_similarity.embedding.choice import ModelChoice
from image_similarity.embedding.models import load_model
from image_similarity.settings import Settings
from image_similarity.types import EmbeddingModel, no_progress


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


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Seeded]]:
    """Gives a network by name."""
    folder = tmp_path_factory.mktemp("seeded")

    @cache
    def network(name: str) -> Seeded:
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("keras_reference.py")), name, str(folder)],
            env=os.environ | {"KERAS_BACKEND": "openvino", "KERAS_HOME": str(folder / "keras")},
            check=True,
        )
        weights, arrays = folder / f"{name}.h5", np.load(folder / f"{name}.npz")
        return Seeded(
            name=name,
            weights=weights,
            digest=hashlib.md5(weights.read_bytes()).hexdigest(),
            photo=folder / "photo.jpg",
            pixels=arrays["pixels"],
            vectors=arrays["vectors"],
        )

    yield network
    shutil.rmtree(folder)  # pytest would keep three sessions' 300 MB


@pytest.fixture(scope="session")
def seeded_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A workspace that keeps the built graphs for the whole session; no address to download anything from."""
    settings = Settings(root=tmp_path_factory.mktemp("built"), weights_address="http://127.0.0.1:9/")
    yield settings
    shutil.rmtree(settings.root)


@pytest.fixture(scope="session")
def seeded_model(seeded: Callable[[str], Seeded], seeded_settings: Settings) -> Callable[[str], EmbeddingModel]:
    """Gives our model of a network by name, built and loaded."""

    @cache
    def model(name: str) -> EmbeddingModel:
        return load_model(seeded(name).choice, seeded_settings, no_progress)

    return model
