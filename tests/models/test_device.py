"""Networks on a GPU by ONNX Runtime, with its provider for processors in the place of the GPU's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.errors import ModelError, NotFittedError, UsageError
from image_similarity.models.onnxruntime_network import OnnxRuntimeModel
from image_similarity.models.openvino_network import OpenVinoModel
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import EmbeddingModel
from tests.support.models import load_model
from tests.support.shop import paint_shop
from tests.support.tiny_networks import SIDE, describe, mean_network, save

STAND_IN = "CPUExecutionProvider"
PIXELS = np.random.default_rng(4).integers(0, 256, (21, SIDE, SIDE, 3), np.uint8)


@pytest.fixture
def on_gpu(settings: Settings) -> Settings:
    return replace(settings, device="gpu", gpu_provider=STAND_IN)


def spread_network(file: Path) -> Path:
    """The spread of each channel; takes one image at a time."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=1),
        helper.make_node("Sub", ["image", "means"], ["centred"]),
        helper.make_node("Abs", ["centred"], ["spread"]),
        helper.make_node("ReduceMean", ["spread"], ["features"], axes=[2, 3], keepdims=0),
    ]
    return save(file, nodes, {"image": (TensorProto.FLOAT, [1, 3, SIDE, SIDE])}, {"features": [1, 3]})


def noise_network(file: Path) -> Path:
    """Nothing but errors of rounding, which no two programs have alike: the mean of tenths less a tenth of the mean."""
    nodes = [
        helper.make_node("Constant", [], ["tenth"], value=numpy_helper.from_array(np.array(0.1, np.float32))),
        helper.make_node("Constant", [], ["least"], value=numpy_helper.from_array(np.array(1e-9, np.float32))),
        helper.make_node("Mul", ["image", "tenth"], ["tenths"]),
        helper.make_node("ReduceMean", ["tenths"], ["one"], axes=[2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "tenth"], ["other"]),
        helper.make_node("Sub", ["one", "other"], ["errors"]),
        helper.make_node("Add", ["errors", "least"], ["features"]),
    ]
    return save(file, nodes, {"image": (TensorProto.FLOAT, [None, 3, SIDE, SIDE])}, {"features": [None, 3]})


def loaded(description: Path, settings: Settings, *, one: bool = False) -> EmbeddingModel:
    return load_model(ModelChoice(str(description), precision="fp32"), settings, one=one)


def embedded(description: Path, settings: Settings) -> NDArray[np.float32]:
    return loaded(description, settings).embed(PIXELS)


# Vectors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"mean": [0.2, 0.4, 0.6], "std": [0.1, 0.2, 0.3]}, TensorProto.FLOAT),
        ({"layout": "NHWC", "output": "doubled", "dimension": 6}, TensorProto.FLOAT),
        ({}, TensorProto.UINT8),
        ({}, TensorProto.FLOAT16),
    ],
    ids=["mean and std", "channels last", "bytes", "halves"],
)
def test_vectors_are_those_of_the_processor(
    changes: dict[str, object], kind: int, settings: Settings, on_gpu: Settings, tmp_path: Path
) -> None:
    description = describe(mean_network(tmp_path / "a.onnx", str(changes.get("layout", "NCHW")), kind), **changes)
    assert isinstance(loaded(description, on_gpu), OnnxRuntimeModel)
    assert np.allclose(embedded(description, on_gpu), embedded(description, settings), atol=1e-3)


def test_a_network_for_one_image_takes_one_after_the_other(
    settings: Settings, on_gpu: Settings, tmp_path: Path
) -> None:
    description = describe(spread_network(tmp_path / "one.onnx"))
    assert np.allclose(embedded(description, on_gpu), embedded(description, settings), atol=1e-6)


# The choice --------------------------------------------------------------------------------------------------------


def test_auto_takes_the_gpu_for_many_images_where_it_agrees(settings: Settings, tmp_path: Path) -> None:
    description = describe(mean_network(tmp_path / "a.onnx"))
    auto = replace(settings, gpu_provider=STAND_IN)
    assert isinstance(loaded(description, auto), OnnxRuntimeModel)
    assert isinstance(loaded(description, auto, one=True), OpenVinoModel)
    assert isinstance(loaded(description, replace(auto, device="cpu")), OpenVinoModel)
    assert isinstance(loaded(description, settings), OpenVinoModel)  # no CUDA here


def test_without_a_gpu_its_choice_says_what_to_install(settings: Settings, tmp_path: Path) -> None:
    description = describe(mean_network(tmp_path / "a.onnx"))
    with pytest.raises(ModelError, match=r"needs ONNX Runtime for NVIDIA GPUs: .*'image-similarity\[gpu\]'"):
        loaded(description, replace(settings, device="gpu"))


def test_what_cannot_run_there_runs_on_the_processor_or_says_so(
    settings: Settings, on_gpu: Settings, tmp_path: Path
) -> None:
    description = describe(mean_network(tmp_path / "a.onnx"), output="nothing")
    with pytest.raises(ModelError, match=r"a\.onnx cannot be run as tiny: it takes .* gives \['means', 'doubled'\]"):
        loaded(description, on_gpu)
    quantised = describe(tmp_path / "small.xml")
    openvino = import_openvino()
    openvino.save_model(openvino.Core().read_model(mean_network(tmp_path / "b.onnx")), tmp_path / "small.xml")
    assert isinstance(loaded(quantised, replace(on_gpu, device="auto")), OpenVinoModel)
    with pytest.raises(ModelError, match="tiny is no ONNX file and runs on the processor only"):
        loaded(quantised, on_gpu)


# Features ----------------------------------------------------------------------------------------------------------


def test_features_that_agree_are_the_same_and_others_have_another_key(
    settings: Settings, on_gpu: Settings, tmp_path: Path
) -> None:
    pictures, photo = paint_shop(tmp_path / "pictures"), tmp_path / "pictures" / "blue_1.png"
    alike = f"{describe(mean_network(tmp_path / 'a.onnx'))}+0.2*colour"
    here, there = Workspace(settings=settings), Workspace(settings=on_gpu)
    key = there.fit("shop", pictures, model=alike).model_key
    assert "-gpu" not in key
    assert here.fit("shop", pictures, model=alike).counts.done == 0  # nothing is computed again
    assert [match.product_id for match in here.search("shop", photo, model=alike, number=1).matches] == ["blue"]
    other = str(describe(noise_network(tmp_path / "noise.onnx"), name="noise"))
    assert there.fit("shop", pictures, model=other).model_key.endswith("-gpu")
    assert len(there.search("shop", photo, model=other).matches) == 4
    with pytest.raises(NotFittedError):
        here.search("shop", photo, model=other)
    assert isinstance(loaded(Path(other), replace(on_gpu, device="auto")), OpenVinoModel)


def test_the_agreement_is_measured_once_for_a_network_and_its_runtime(on_gpu: Settings, tmp_path: Path) -> None:
    auto, description = replace(on_gpu, device="auto"), describe(mean_network(tmp_path / "a.onnx"))
    loaded(description, auto)
    kept = on_gpu.root / "models" / "gpu" / "tiny.json"
    first = kept.stat().st_mtime_ns
    assert json.loads(kept.read_text())["cosine"] > 0.9999
    loaded(description, auto)
    assert kept.stat().st_mtime_ns == first
    loaded(describe(mean_network(tmp_path / "a.onnx"), mean=[0.1, 0.1, 0.1]), auto)  # it is fed otherwise
    assert kept.stat().st_mtime_ns > first


def test_the_command_line_and_the_environment_choose_the_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings.from_environment({"IMAGE_SIMILARITY_DEVICE": "gpu"}).device == "gpu"
    with pytest.raises(UsageError, match="IMAGE_SIMILARITY_DEVICE must be one of auto, cpu, gpu"):
        Settings.from_environment({"IMAGE_SIMILARITY_DEVICE": "cuda"})
    monkeypatch.setenv("IMAGE_SIMILARITY_GPU_PROVIDER", STAND_IN)
    description = describe(noise_network(tmp_path / "noise.onnx"), name="noise")
    shop = ["-d", "shop", "-m", str(description), "-w", str(tmp_path / "data")]
    fit = ["fit", *shop, "--catalogue", str(paint_shop(tmp_path / "pictures")), "--format", "json"]
    printed = [CliRunner().invoke(app, [*fit, *device]).stdout for device in ([], ["--device", "gpu"])]
    keys = [json.loads(each)["model"] for each in printed]
    assert keys[1] == f"{keys[0]}-gpu"
