"""What every embedding model promises, whichever it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings as examples, strategies as st
from hypothesis.extra.numpy import arrays

from image_similarity.errors import ModelError
from image_similarity.models.unit_vectors import unit_length
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import EmbeddingModel, no_progress
from tests.support.models import load_model
from tests.support.tiny_networks import SIDE, describe, mean_network

if TYPE_CHECKING:
    from numpy.typing import NDArray

pytest_plugins = ["tests.support.seeded"]


@pytest.fixture(scope="module", params=["colour-shape", "colour", "described", "on a GPU", "VGG"])
def model(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> EmbeddingModel:
    """Each model in turn."""
    if request.param == "VGG":
        networks: Callable[[str], EmbeddingModel] = request.getfixturevalue("seeded_model")
        return networks("VGG")
    name, settings = request.param, Settings()
    if name == "on a GPU":  # ONNX Runtime's provider for processors in its place
        settings = Settings(device="gpu", gpu_provider="CPUExecutionProvider")
    if name in ("described", "on a GPU"):
        name = str(describe(mean_network(tmp_path_factory.mktemp("described") / "tiny.onnx")))
    return load_model(ModelChoice(name), settings, no_progress)


@pytest.fixture(scope="module")
def pixels(model: EmbeddingModel) -> NDArray[np.uint8]:
    """Five pictures: noise, coarse fields, one colour, white, black."""
    size, generator = model.spec.input.size, np.random.default_rng(5)
    coarse = np.kron(generator.integers(0, 256, (4, 4, 3)), np.ones((size // 4, size // 4, 1)))
    plain = [np.full((size, size, 3), colour) for colour in ((200, 40, 90), (255, 255, 255), (0, 0, 0))]
    return np.stack([generator.integers(0, 256, (size, size, 3)), coarse, *plain]).astype(np.uint8)


@pytest.fixture(scope="module")
def vectors(model: EmbeddingModel, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return model.embed(pixels)


def test_vectors_are_as_the_record_says(
    model: EmbeddingModel, pixels: NDArray[np.uint8], vectors: NDArray[np.float32]
) -> None:
    assert vectors.shape == (len(pixels), model.spec.dimension)
    assert vectors.dtype == np.float32


def test_vectors_have_unit_length(vectors: NDArray[np.float32]) -> None:
    lengths = np.linalg.norm(vectors[:4].astype(np.float64), axis=1)  # a mean of black is a zero, of no length
    assert np.allclose(lengths, 1, atol=1e-6)


def test_other_pixels_have_other_vectors(vectors: NDArray[np.float32]) -> None:
    assert (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)].max() < 1 - 1e-6


def test_a_vector_does_not_depend_on_its_neighbours_in_a_batch(
    model: EmbeddingModel, pixels: NDArray[np.uint8], vectors: NDArray[np.float32]
) -> None:
    for row in (0, 3):
        assert model.embed(pixels[row : row + 1]).tobytes() == vectors[row].tobytes()
    assert model.embed(pixels[2::-1]).tobytes() == vectors[2::-1].tobytes()


def test_pixels_may_lie_in_memory_in_any_way_and_stay_as_they_are(
    model: EmbeddingModel, pixels: NDArray[np.uint8], vectors: NDArray[np.float32]
) -> None:
    turned = np.ascontiguousarray(pixels[:2].transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)
    turned.flags.writeable = False
    assert model.embed(turned).tobytes() == vectors[:2].tobytes()
    assert np.array_equal(turned, pixels[:2])


def test_no_pictures_have_no_vectors(model: EmbeddingModel, pixels: NDArray[np.uint8]) -> None:
    empty = model.embed(pixels[:0])
    assert empty.shape == (0, model.spec.dimension)
    assert empty.dtype == np.float32


AGAIN = """
import sys
import numpy as np
from image_similarity.options import ModelChoice
from tests.support.models import load_model
from image_similarity.settings import Settings
from image_similarity.types import no_progress

for _ in range(30):
    model = load_model(ModelChoice(sys.argv[1]), Settings(), no_progress)
    model.embed(np.full((2, int(sys.argv[2]), int(sys.argv[2]), 3), 9, np.uint8))
    del model
print("ended")
"""


def test_a_model_that_is_let_go_of_does_not_hang(tmp_path: Path) -> None:
    """OpenVINO's threads and Python's lock can wait for each other for ever; they did within ten rounds."""
    description = describe(mean_network(tmp_path / "tiny.onnx"))
    command = [sys.executable, "-c", AGAIN, str(description), str(SIDE)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout == "ended\n"


# Unit length -------------------------------------------------------------------------------------------------------


@examples(derandomize=True, deadline=None)
@given(arrays(np.float32, (3, 4), elements=st.integers(-(2**20), 2**20)))
def test_only_the_length_of_a_vector_changes_and_nothing_stays_nothing(rows: NDArray[np.float32]) -> None:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    assert np.allclose(unit_length(rows, "any") * lengths, rows, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_an_error_that_names_the_model(number: float) -> None:
    with pytest.raises(ModelError, match="tiny gave numbers that are not finite"):
        unit_length(np.array([[1, number]], np.float32), "tiny")
