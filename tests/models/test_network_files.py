"""Weights in a second file: they decide the model's key, and may not come from elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from image_similarity.errors import ModelError, WeightsError
from image_similarity.models.model_folder import LockEntry, ModelFolder
from image_similarity.models.openvino_runtime import import_openvino
from image_similarity.models.pull import locked_file
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import no_progress
from tests.support.models import load_model, model_spec
from tests.support.tiny_networks import SIDE, describe, mean_network

IR_VERSION, OPSET = 9, 17
GREY = np.full((1, SIDE, SIDE, 3), 51, np.uint8)


def graph(weights: tuple[float, float, float], location: str | None, *, inside: bool = False) -> onnx.ModelProto:
    """The mean of each channel times weights, which are in another file where a location is given."""
    tensor = numpy_helper.from_array(np.array(weights, np.float32), "weights")
    if location is not None:
        external_data_helper.set_external_data(tensor, location)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
    nodes = [helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0)]
    if inside:  # a constant of a node is one of the places where a tensor may be
        nodes.append(helper.make_node("Constant", [], ["weights"], value=tensor))
    nodes.append(helper.make_node("Mul", ["means", "weights"], ["out"]))
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None, 3])],
        initializer=[] if inside else [tensor],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def network(folder: Path, weights: tuple[float, float, float], location: str = "weights.data") -> Path:
    """A description of a network whose weights lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tiny.onnx"
    file.write_bytes(graph(weights, location).SerializeToString())
    (folder / "weights.data").write_bytes(np.array(weights, np.float32).tobytes())
    return describe(file)


def key(description: Path) -> str:
    return model_spec(ModelChoice(str(description))).key


def vector(description: Path) -> NDArray[np.float32]:
    vectors = load_model(ModelChoice(str(description)), Settings(), no_progress).embed(GREY)
    return np.asarray(vectors[0], np.float32)


def test_other_weights_beside_the_same_graph_are_another_model(tmp_path: Path) -> None:
    first, again, other = (
        network(tmp_path / name, weights)
        for name, weights in (("a", (1.0, 2.0, 3.0)), ("b", (1.0, 2.0, 3.0)), ("c", (3.0, 2.0, 1.0)))
    )
    assert (tmp_path / "a/tiny.onnx").read_bytes() == (tmp_path / "c/tiny.onnx").read_bytes()
    assert key(first) == key(again) != key(other)
    assert not np.allclose(vector(first), vector(other))
    (tmp_path / "a/weights.data").write_bytes(np.array([3.0, 2.0, 1.0], np.float32).tobytes())
    assert key(first) == key(other)


def test_the_numbers_of_an_openvino_graph_count(tmp_path: Path) -> None:
    openvino = import_openvino()
    keys = []
    for name, weights in (("a", (1.0, 2.0, 3.0)), ("b", (3.0, 2.0, 1.0))):
        source = tmp_path / f"{name}.onnx"
        source.write_bytes(graph(weights, None).SerializeToString())
        (tmp_path / name).mkdir()
        read = openvino.Core().read_model(source)
        openvino.save_model(read, tmp_path / name / "tiny.xml", compress_to_fp16=False)
        keys.append(key(describe(tmp_path / name / "tiny.xml")))
    assert keys[0] != keys[1]
    (tmp_path / "a/tiny.bin").replace(tmp_path / "away.bin")
    (tmp_path / "a/tiny.bin").symlink_to(tmp_path / "away.bin")
    with pytest.raises(ModelError, match=r"tiny\.bin.*not a file beside it"):
        key(tmp_path / "a/tiny.toml")


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    "location",
    ["../weights.data", "/etc/hostname", "a/../../weights.data", "C:\\weights", "..\\weights", "none", "", "x" * 300],
)
def test_weights_from_elsewhere_are_refused(tmp_path: Path, location: str, inside: bool) -> None:
    (tmp_path / "weights.data").write_bytes(bytes(12))
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "tiny.onnx"
    file.write_bytes(graph((1.0, 2.0, 3.0), location, inside=inside).SerializeToString())
    with pytest.raises(ModelError, match="not a file beside it"):
        load_model(ModelChoice(str(describe(file))), Settings(), no_progress)


def test_a_link_out_of_the_folder_is_refused_and_a_folder_below_is_not(tmp_path: Path) -> None:
    description = network(tmp_path / "in", (1.0, 2.0, 3.0))
    (tmp_path / "in/weights.data").replace(tmp_path / "weights.data")
    (tmp_path / "in/weights.data").symlink_to(tmp_path / "weights.data")
    with pytest.raises(ModelError, match="not a file beside it"):
        key(description)
    below = network(tmp_path / "deep", (1.0, 2.0, 3.0), "numbers/weights.data")
    (tmp_path / "deep/numbers").mkdir()
    (tmp_path / "deep/weights.data").replace(tmp_path / "deep/numbers/weights.data")
    assert key(below)
    (tmp_path / "deep/numbers").rename(tmp_path / "elsewhere")
    (tmp_path / "deep/numbers").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="not a file beside it"):
        key(below)


def test_a_network_of_one_file_keeps_its_key(tmp_path: Path) -> None:
    description = describe(mean_network(tmp_path / "tiny.onnx"), sha256="ab" * 32)
    assert key(description) == "tiny@4910b1b7"


def test_a_graph_that_cannot_be_read_through_is_refused(tmp_path: Path) -> None:
    description = network(tmp_path / "in", (1.0, 2.0, 3.0))
    file = tmp_path / "in/tiny.onnx"
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ModelError, match=r"cannot be loaded as tiny: tiny\.onnx is no ONNX graph"):
        vector(description)


def test_a_pulled_network_takes_no_weights_that_were_not_pulled(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path / "models")
    place = folder.path_of("some/repo", "onnx/tiny.onnx")
    network(place.parent, (1.0, 2.0, 3.0))
    files = {"onnx/tiny.onnx": locked_file(place)}
    folder.add("tiny", LockEntry("some/repo", "c" * 40, "MIT", files))
    with pytest.raises(WeightsError, match="not a file that was pulled"):
        folder.verified("tiny", "onnx/tiny.onnx")
    assert not folder.is_complete("tiny")
    files["onnx/weights.data"] = locked_file(place.parent / "weights.data")
    folder.add("tiny", LockEntry("some/repo", "c" * 40, "MIT", files))
    assert folder.verified("tiny", "onnx/tiny.onnx") == place
