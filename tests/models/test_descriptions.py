"""A model's ``.toml`` description: what it may contain, and the messages about mistakes in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from image_similarity.errors import ModelError, UsageError
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import InputSpec, no_progress
from tests.support.models import load_model, model_spec
from tests.support.tiny_networks import describe, mean_network

THREE = "three numbers, for red, green and blue (a std is not 0)"
WHOLE = "a whole number from 1 to 65536"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return mean_network(tmp_path / "tiny.onnx")


def refused(description: Path) -> str:
    with pytest.raises(ModelError) as caught:
        model_spec(ModelChoice(str(description)))
    assert "\n" not in str(caught.value)
    assert str(description) in str(caught.value)
    return str(caught.value)


def test_what_is_left_out_has_the_usual_values(network: Path) -> None:
    spec = model_spec(ModelChoice(str(describe(network, layout=None))))
    assert (spec.name, spec.dimension, spec.licence) == ("tiny", 3, "Apache-2.0")
    assert spec.input == InputSpec(4, "pad", "bicubic")
    assert spec.preprocessing == "RGB 0..1, mean [0.0, 0.0, 0.0], std [1.0, 1.0, 1.0], NCHW"


def test_everything_may_be_said(network: Path) -> None:
    fields = {"format": "onnx", "resize": "stretch", "interpolation": "lanczos", "source": "a test", "output": "means"}
    spec = model_spec(ModelChoice(str(describe(network, commercial_use=False, mean=[0, 0.5, 1], **fields))))
    assert spec.input == InputSpec(4, "stretch", "lanczos")
    assert "mean [0.0, 0.5, 1.0]" in spec.preprocessing


def test_a_middle_may_be_cut_out_of_more(network: Path) -> None:
    assert model_spec(ModelChoice(str(describe(network, resize="crop")))).input == InputSpec(4, "crop", "bicubic")
    spec = model_spec(ModelChoice(str(describe(network, resize="crop", shorter_side=5))))
    assert spec.input == InputSpec(4, "crop", "bicubic", 5)
    message = refused(describe(network, resize="crop", shorter_side=3))
    assert message.endswith('shorter_side = 3 must be at least input_size, with resize = "crop"')


@pytest.mark.parametrize("field", ["name", "file", "dimension", "input_size", "licence"])
def test_a_missing_field_is_named(network: Path, field: str) -> None:
    description = describe(network, **{field: None})
    assert refused(description) == f"{description}: the field {field} is missing"


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("name", "../elsewhere", "letters, digits and . _ + -, at most 64"),
        ("name", "", "letters, digits and . _ + -, at most 64"),
        ("name", "a" * 65, "letters, digits and . _ + -, at most 64"),
        ("name", 7, "text"),
        ("file", 7, "text"),
        ("dimension", 0, WHOLE),
        ("dimension", True, WHOLE),
        ("dimension", 65_537, WHOLE),
        ("dimension", "512", WHOLE),
        ("input_size", -224, WHOLE),
        ("input_size", 224.0, WHOLE),
        ("format", "pytorch", "onnx or tflite or openvino"),
        ("layout", "HWC", "NCHW or NHWC"),
        ("layout", 4, "text"),
        ("resize", "fit", "stretch or pad or crop"),
        ("shorter_side", 0, WHOLE),
        ("shorter_side", 4, 'at least input_size, with resize = "crop"'),
        ("interpolation", "cubic", "nearest or box or bilinear or bicubic or lanczos"),
        ("mean", [0.5, 0.5], THREE),
        ("mean", ["0.5", "0.5", "0.5"], THREE),
        ("mean", [True, False, True], THREE),
        ("mean", 0.5, "a list of three numbers"),
        ("mean", [10**400, 0, 0], THREE),
        ("std", [1, 0, 1], THREE),
        ("output", 1, "text"),
        ("licence", 1, "text"),
        ("commercial_use", "yes", "true or false"),
        ("sha256", 12, "text"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_may_be(network: Path, field: str, value: Any, allowed: str) -> None:
    description = describe(network, **{field: value})
    assert refused(description) == f"{description}: {field} = {value!r} must be {allowed}"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("field", ["mean", "std"])
def test_tomls_odd_numbers_are_no_numbers_here(network: Path, field: str, value: str) -> None:
    description = describe(network)
    with description.open("a") as file:
        file.write(f"\n{field} = [1, {value}, 1]")
    assert refused(description).endswith(f"must be {THREE}")


def test_a_misspelt_field_is_named(network: Path) -> None:
    description = describe(network, interpolate="bicubic", size=224)
    assert refused(description) == f"{description}: no such field: interpolate, size"


def test_a_file_of_another_kind_needs_its_format_said(network: Path) -> None:
    renamed = network.rename(network.with_suffix(".bin"))
    assert "format = '' must be onnx or tflite or openvino" in refused(describe(renamed))
    assert model_spec(ModelChoice(str(describe(renamed, format="onnx")))).name == "tiny"


@pytest.mark.parametrize("text", [b"name = ", b"\xff\xfe", b"[[[", b'name = "a"\nname = "b"', b"a = " + b"9" * 5000])
def test_a_file_that_is_not_toml_is_called_so(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "tiny.toml").write_bytes(text)
    assert refused(tmp_path / "tiny.toml").startswith(f"{tmp_path / 'tiny.toml'} is not TOML: ")


def test_a_description_that_is_not_there_is_named(tmp_path: Path) -> None:
    message = refused(tmp_path / "gone.toml")
    assert message == f"{tmp_path / 'gone.toml'}: No such file or directory. `model` takes the path of a model's .toml"


def test_names_and_licences_in_any_alphabet_are_read(tmp_path: Path) -> None:
    network = mean_network(tmp_path / "сеть 網.onnx")
    spec = model_spec(ModelChoice(str(describe(network, licence="Общественное достояние"))))
    assert spec.licence == "Общественное достояние"
    assert spec.weights.startswith("сеть 網.onnx sha256:")


@pytest.mark.parametrize("name", ["VGG16", "vgg", "model.onnx", " ", "standard-0"])
def test_a_model_that_there_is_not_is_answered_with_those_that_there_are(name: str) -> None:
    for ask in (model_spec, lambda choice: load_model(choice, Settings(), no_progress)):
        with pytest.raises(UsageError) as caught:
            ask(ModelChoice(name))
        assert str(caught.value).startswith(
            f"there is no model {name!r}: use standard, EfficientNet-Lite2, EfficientNet-Lite0, "
        )
        assert str(caught.value).endswith(", Inception_Resnet, timm:NAME, or the path of a model's .toml description")


@pytest.mark.parametrize("choice", [{"weights": Path("a.h5")}, {"weights_digest": "0" * 32}])
def test_colour_shape_has_no_weights_to_give(choice: dict[str, Any]) -> None:
    for ask in (model_spec, lambda choice: load_model(choice, Settings(), no_progress)):
        with pytest.raises(UsageError, match="colour-shape has no weights: leave `weights` out"):
            ask(ModelChoice("colour-shape", **choice))
