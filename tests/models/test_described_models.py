"""A network of the user's own: any ONNX or TFLite file with a few lines of TOML beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime import InferenceSession  # type: ignore[import-untyped]

from image_similarity.errors import ModelError, UsageError
from image_similarity.images.decoding import decode
from image_similarity.images.views import square
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import EmbeddingModel, no_progress
from tests.support.models import load_model, model_spec
from tests.support.tiny_networks import SIDE, describe, mean_network, save

ORANGE = (255, 102, 51)  # 1.0, 0.4, 0.2


def load(description: Path, weights: Path | None = None) -> EmbeddingModel:
    return load_model(ModelChoice(str(description), weights), Settings(), no_progress)


def field(colour: tuple[int, int, int] = ORANGE) -> NDArray[np.uint8]:
    return np.full((1, SIDE, SIDE, 3), colour, np.uint8)


def unit(*numbers: float) -> NDArray[np.float64]:
    return np.array([numbers], np.float64) / float(np.linalg.norm(numbers))


def refused(description: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(description)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# By hand -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_pixels_reach_the_network_as_rgb_from_nought_to_one(tmp_path: Path, layout: str) -> None:
    network = mean_network(tmp_path / "tiny.onnx", layout)
    model = load(describe(network, layout=layout))
    assert np.allclose(model.embed(field()), unit(1.0, 0.4, 0.2), atol=1e-6)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_mean_and_std_are_of_red_green_and_blue_from_nought_to_one(tmp_path: Path, layout: str) -> None:
    network = mean_network(tmp_path / "tiny.onnx", layout)
    model = load(describe(network, layout=layout, mean=[0.5, 0.3, 0], std=[0.25, 0.5, 2]))
    assert np.allclose(model.embed(field()), unit(2.0, 0.2, 0.1), atol=1e-6)


def test_the_mean_is_taken_over_the_whole_picture(tmp_path: Path) -> None:
    pixels = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    pixels[0, 0, :, 0] = 200  # four of sixteen
    pixels[0, 2, 1, 1] = 200  # one
    model = load(describe(mean_network(tmp_path / "tiny.onnx")))
    assert np.allclose(model.embed(pixels), unit(4, 1, 0), atol=1e-6)


@pytest.mark.parametrize(("output", "dimension"), [(None, 3), ("means", 3), ("doubled", 6)])
def test_the_output_is_chosen_by_name_and_the_first_one_by_default(
    tmp_path: Path, output: str | None, dimension: int
) -> None:
    model = load(describe(mean_network(tmp_path / "tiny.onnx"), output=output, dimension=dimension))
    assert np.allclose(model.embed(field()), unit(*[1.0, 0.4, 0.2] * (dimension // 3)), atol=1e-6)


def test_an_output_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    message = refused(describe(mean_network(tmp_path / "tiny.onnx"), output="features"))
    assert "has no output 'features': it has [['means'], ['doubled']]" in message


def test_a_network_that_takes_bytes_gets_bytes(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "tiny.onnx", "NHWC", TensorProto.UINT8)
    assert np.allclose(load(describe(network, layout="NHWC")).embed(field()), unit(5, 2, 1), atol=1e-6)


def test_a_network_that_takes_bytes_can_have_no_mean(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "tiny.onnx", "NHWC", TensorProto.UINT8)
    assert "can have no mean and no std" in refused(describe(network, layout="NHWC", mean=[0.5, 0.5, 0.5]))


# What does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"layout": "NHWC"}, {"input_size": 5}])
def test_a_network_of_another_shape_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    message = refused(describe(mean_network(tmp_path / "tiny.onnx"), **wrong))
    assert message.startswith(f"{tmp_path / 'tiny.onnx'} cannot be loaded as tiny: ")


def test_a_network_for_any_size_takes_larger_squares_and_is_another_model(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "tiny.onnx")
    plain = load(describe(network)).spec
    larger = load(describe(network, input_size=3 * SIDE, any_size=True))
    pixels = np.repeat(np.repeat(field(), 3, axis=1), 3, axis=2)
    assert np.allclose(larger.embed(pixels), unit(5, 2, 1), atol=1e-6)
    assert larger.spec.key != plain.key
    assert load(describe(network, any_size=False)).spec.key == plain.key, "what is left out decides nothing"


def test_a_network_of_another_dimension_is_refused(tmp_path: Path) -> None:
    message = refused(describe(mean_network(tmp_path / "tiny.onnx"), dimension=4))
    assert message == f"{tmp_path / 'tiny.onnx'} gives 3 numbers an image, its record says 4"


def test_a_network_with_a_second_input_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Add", ["flat", "more"], ["sum"]),
    ]
    inputs: dict[str, tuple[int, list[int | None]]] = {
        "image": (TensorProto.FLOAT, [None, 3, SIDE, SIDE]),
        "more": (TensorProto.FLOAT, [1, 3]),
    }
    network = save(tmp_path / "tiny.onnx", nodes, inputs, {"sum": [None, 3]})
    assert "it takes 2 inputs" in refused(describe(network))


def test_a_network_whose_output_has_no_fixed_length_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["image"], ["places"]),
        helper.make_node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT),
    ]
    inputs: dict[str, tuple[int, list[int | None]]] = {"image": (TensorProto.FLOAT, [None, 3, SIDE, SIDE])}
    network = save(tmp_path / "tiny.onnx", nodes, inputs, {"numbers": [4, None]})
    assert "a fixed shape out are needed" in refused(describe(network, dimension=4))


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.tflite"])
@pytest.mark.parametrize("content", [b"", b"no network"])
def test_a_file_that_is_no_network_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert refused(describe(tmp_path / name)).startswith(f"{tmp_path / name} cannot be loaded as tiny: ")


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    message = refused(describe(tmp_path / "gone.onnx"))
    assert message.startswith(f"{tmp_path / 'gone.onnx'}: No such file or directory")


def test_an_altered_network_is_refused_by_its_digest(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "tiny.onnx")
    stated = hashlib.sha256(network.read_bytes()).hexdigest()
    description = describe(network, sha256=stated.upper())
    assert load(description).spec.weights == f"tiny.onnx sha256:{stated}"
    network.write_bytes(network.read_bytes() + b"\0")
    altered = hashlib.sha256(network.read_bytes()).hexdigest()
    message = refused(description)
    assert message == f"{network} is not the file that {description} describes: sha256 {altered}, expected {stated}"


# Its name in the store ---------------------------------------------------------------------------------------------


def key(description: Path) -> str:
    return model_spec(ModelChoice(str(description))).key


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.1, 0, 0]},
        {"std": [1, 1, 2]},
        {"layout": "NHWC"},
        {"input_size": 5},
        {"resize": "stretch"},
        {"interpolation": "nearest"},
        {"output": "doubled"},
        {"dimension": 6},
    ],
)
def test_whatever_changes_a_vector_changes_the_key(tmp_path: Path, change: dict[str, Any]) -> None:
    network = mean_network(tmp_path / "tiny.onnx")
    plain = key(describe(network))
    assert plain.startswith("tiny@")
    assert key(describe(network, **change)) != plain


def test_another_file_under_the_same_name_has_another_key(tmp_path: Path) -> None:
    plain = key(describe(mean_network(tmp_path / "tiny.onnx")))
    assert key(describe(mean_network(tmp_path / "tiny.onnx", "NHWC"))) != plain


def test_what_changes_no_vector_keeps_the_key(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "tiny.onnx")
    plain = key(describe(network))
    assert key(describe(network, licence="MIT", source="elsewhere", commercial_use=False, format="onnx")) == plain
    moved = network.rename(tmp_path / "renamed.onnx")
    assert key(describe(moved)) == plain


def test_the_network_may_lie_elsewhere(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "tiny.onnx")
    description = describe(network, file="nowhere.onnx")
    assert load(description, network).embed(field()).shape == (1, 3)
    with pytest.raises(UsageError, match="states its own digest"):
        load_model(ModelChoice(str(description), network, "0" * 32), Settings(), no_progress)


# Real networks -----------------------------------------------------------------------------------------------------

PHOTOS = ["24-mb02_blue_0.jpg", "24-mg01_bk_0.jpg"]  # a backpack, a digital watch


def photos(luma: Path, model: EmbeddingModel) -> NDArray[np.uint8]:
    pictures = (decode((luma / "images" / name).read_bytes(), max_pixels=10**8) for name in PHOTOS)
    return np.stack([square(picture, model.spec.input) for picture in pictures])


@pytest.mark.parametrize("name", ["mobilenetv2", "googlenet", "inception_v3_mixed9"])
def test_real_networks_agree_with_onnx_runtime(real_networks: Path, luma: Path, name: str) -> None:
    model = load(real_networks / f"{name}.toml")
    pixels = photos(luma, model)
    session = InferenceSession(real_networks / f"{name}.onnx", providers=["CPUExecutionProvider"])
    planes = pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255
    entry = session.get_inputs()[0].name
    expected = np.concatenate([session.run(["features"], {entry: plane[None]})[0] for plane in planes])
    expected = expected.reshape(len(pixels), -1)
    cosines = (model.embed(pixels) * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() >= 0.9999
    assert model.embed(pixels)[0] @ model.embed(pixels)[1] < 0.99  # or the two photos would prove nothing


def test_an_eight_bit_tflite_network_knows_a_backpack_and_a_watch(
    real_networks: Path, luma: Path, tmp_path: Path
) -> None:
    """Its input is bytes, its numbers are eight bits, its 1001 outputs are classes, of which the first is none."""
    network = real_networks / "mobilenet_v2_1.0_224_quant.tflite"
    fields = {"file": str(network), "dimension": 1001, "input_size": 224, "layout": "NHWC"}
    model = load(describe(tmp_path / "quantised.tflite", **fields))
    best = model.embed(photos(luma, model)).argmax(axis=1)
    classes = ["", *(real_networks / "imagenet_classes.txt").read_text().splitlines()]
    assert [classes[number].split()[1].strip(",") for number in best] == ["backpack", "digital"]
