"""How finely a network computes: what ``auto`` means, whose features are whose, and what bf16 changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from image_similarity.dataset import Dataset
from image_similarity.errors import NotFittedError, UsageError
from image_similarity.models import precision as processor
from image_similarity.models.precision import choose_precision, key_at
from image_similarity.models.projection import Projection, write_projection
from image_similarity.models.resolver import projection_folder, resolve
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import EmbeddingModel, no_progress
from image_similarity.workspace import Workspace
from tests.support.models import load_model, model_spec
from tests.support.shop import paint_shop, rows
from tests.support.tiny_networks import describe, mean_network

if TYPE_CHECKING:
    from tests.support.seeded import Seeded

pytest_plugins = ["tests.support.seeded"]

SHOP = Dataset.named("shop")
VGG = ModelChoice("VGG")


# Whose features are whose ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "precision", "digest", "expected"),
    [
        ("VGG", "fp32", "", "VGG"),
        ("VGG", "bf16", "", "VGG@bf16"),
        ("VGG", "int8", "0a1b2c3d", "VGG@int8-0a1b2c3d"),
        ("tiny@12345678", "fp32", "", "tiny@12345678"),
        ("tiny@12345678", "bf16", "", "tiny@12345678-bf16"),
        ("tiny@12345678", "int8", "0a1b2c3d", "tiny@12345678-int8-0a1b2c3d"),
    ],
)
def test_each_precision_has_a_key_of_its_own(key: str, precision: str, digest: str, expected: str) -> None:
    assert key_at(key, precision, digest) == expected


def test_a_precision_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="no `precision` 'fp16': use auto, fp32, bf16, int8"):
        ModelChoice("VGG", precision="fp16")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_a_model_that_is_no_network_has_no_precision(precision: str) -> None:
    with pytest.raises(UsageError, match="colour-shape is no network"):
        model_spec(ModelChoice("colour-shape", precision=precision))  # type: ignore[arg-type]
    assert model_spec(ModelChoice("colour-shape", precision="fp32")).key == "colour-shape"


def test_int8_without_its_network_is_not_fitted() -> None:
    with pytest.raises(NotFittedError, match="run fit with `precision` int8 first"):
        resolve(ModelChoice("VGG", precision="int8"), SHOP, Settings(), lambda _: True)


# What auto means ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "wish", "bf16", "expected"),
    [
        ((), "auto", True, "bf16"),
        ((), "auto", False, "fp32"),
        ((), "fp32", True, "fp32"),
        ((), "bf16", False, "bf16"),
        (("fp32",), "auto", True, "fp32"),
        (("bf16",), "auto", False, "bf16"),
        (("fp32",), "bf16", True, "fp32"),
        (("bf16",), "fp32", True, "bf16"),
        (("fp32", "bf16"), "auto", True, "bf16"),
        (("fp32", "bf16"), "auto", False, "fp32"),
        (("fp32", "bf16"), "fp32", True, "fp32"),
    ],
)
def test_auto_is_what_is_stored_then_the_wish_then_the_processor(
    stored: tuple[str, ...], wish: str, bf16: bool, expected: str
) -> None:
    assert choose_precision(stored, wish, bf16) == expected
    keys = {key_at("VGG", each) for each in stored}
    settings = Settings(precision=wish)
    for fitting in (True, False):
        model = resolve(VGG, SHOP, settings, lambda each: each.key in keys, fitting=fitting, bf16=bf16)
        assert model.specs[0].precision == expected


@pytest.mark.parametrize("requested", ["fp32", "bf16"])
def test_a_precision_that_is_asked_for_is_taken_whatever_is_stored(requested: str) -> None:
    choice = replace(VGG, precision=requested)  # type: ignore[arg-type]
    model = resolve(choice, SHOP, Settings(), lambda _: True, fitting=True, bf16=True)
    assert model.specs[0].precision == requested


def test_auto_leaves_a_model_that_is_no_network_alone() -> None:
    model = resolve(ModelChoice("colour-shape"), SHOP, Settings(), lambda _: False, fitting=True, bf16=True)
    assert model.key == "colour-shape" and model.specs[0].precision == ""


def test_the_wish_comes_from_the_environment_and_is_checked() -> None:
    assert Settings.from_environment({"IMAGE_SIMILARITY_PRECISION": "bf16"}).precision == "bf16"
    assert Settings.from_environment({}).precision == "auto"
    with pytest.raises(UsageError, match="IMAGE_SIMILARITY_PRECISION must be one of auto, fp32, bf16"):
        Settings.from_environment({"IMAGE_SIMILARITY_PRECISION": "int8"})


CPUINFO = "processor\t: 0\nmodel name\t: a processor\nflags\t\t: fpu sse2 {}\nbugs\t\t: avx512_bf16\n"


@pytest.mark.parametrize(
    ("flags", "expected"), [("avx2", False), ("avx2 avx512_bf16", True), ("amx_bf16 amx_tile", True), ("", False)]
)
def test_the_flags_of_the_processor_tell_whether_it_has_bf16(flags: str, expected: bool) -> None:
    assert processor.has_flag(CPUINFO.format(flags), processor.LINUX_FLAGS) is expected


def test_the_kernel_and_the_engine_agree_about_this_processor() -> None:
    from image_similarity.models.openvino_network import computes_bf16

    assert processor.processor_has_bf16() == computes_bf16()


# From fit to answer ------------------------------------------------------------------------------------------------


@pytest.fixture
def network(tmp_path: Path) -> str:
    return str(describe(mean_network(tmp_path / "tiny.onnx")))


def columns(settings: Settings) -> list[str]:
    names = [str(row[1]) for row in rows(settings, "PRAGMA table_info(features_shop)")]
    return [name for name in names if name.startswith("features_")]


def test_what_was_fitted_is_what_auto_asks_wherever_the_workspace_goes(
    settings: Settings, tmp_path: Path, network: str
) -> None:
    pictures = paint_shop(tmp_path / "pictures")
    bf16 = Workspace(settings=settings).fit("shop", pictures, model=ModelChoice(network, precision="bf16"))
    assert bf16.model_key.endswith("-bf16")
    elsewhere = Workspace(settings=replace(settings, precision="fp32"))
    again = elsewhere.fit("shop", pictures, model=network)
    assert (again.model_key, again.counts.done) == (bf16.model_key, 0)
    assert elsewhere.evaluate("shop", model=network).model_key == bf16.model_key
    similar = elsewhere.similar("shop", "red", model=network)
    assert similar.matches[0].product_id == "orange"
    assert elsewhere.search("shop", pictures / "red_1.png", model=network).matches[0].product_id == "red"


def test_an_adapted_model_is_found_at_the_precision_that_it_was_fitted_with(
    settings: Settings, tmp_path: Path, network: str
) -> None:
    pictures, shop = paint_shop(tmp_path / "pictures"), Dataset.named("shop")
    there = Workspace(settings=replace(settings, precision="bf16"))
    key = there.fit("shop", pictures, model=network).model_key
    dimension = model_spec(ModelChoice(network)).dimension
    projection = Projection.of(np.zeros(dimension), np.eye(dimension, 2))
    write_projection(projection_folder(settings, shop, key), projection, {})
    name = f"{network}+adapted"
    fitted = there.fit("shop", pictures, model=name, learn=False)
    assert fitted.model_key == f"{key}+adapted@{projection.digest}"
    for workspace in (there, Workspace(settings=replace(settings, precision="fp32"))):
        assert workspace.similar("shop", "red", model=name).matches[0].product_id == "orange"
        assert workspace.search("shop", pictures / "red_1.png", model=name).matches[0].product_id == "red"


def test_features_of_different_precision_never_meet(settings: Settings, tmp_path: Path, network: str) -> None:
    pictures, workspace = paint_shop(tmp_path / "pictures"), Workspace(settings=settings)
    keys = []
    for precision in ("fp32", "bf16"):
        report = workspace.fit("shop", pictures, model=ModelChoice(network, precision=precision))
        assert report.counts.done == 6
        keys.append(report.model_key)
        assert report.recommendations.name.endswith(report.model_key)
    assert columns(settings) == [f"features_{key}" for key in keys]


def test_a_dataset_that_was_fitted_in_fp32_alone_has_no_answers_in_bf16(
    settings: Settings, tmp_path: Path, network: str
) -> None:
    workspace = Workspace(settings=settings)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=network)
    with pytest.raises(NotFittedError, match="-bf16"):
        workspace.evaluate("shop", model=ModelChoice(network, precision="bf16"))


def test_bf16_vectors_are_those_of_fp32_to_three_decimals(
    seeded: Callable[[str], Seeded], seeded_model: Callable[[str], EmbeddingModel], seeded_settings: Settings
) -> None:
    network = seeded("VGG")
    model = load_model(replace(network.choice, precision="bf16"), seeded_settings, no_progress)
    fp32, bf16 = seeded_model("VGG").embed(network.pixels), model.embed(network.pixels)
    assert (fp32 * bf16).sum(axis=1).min() > 0.999
    assert model.embed(network.pixels[:1]).tobytes() == bf16[:1].tobytes()
    assert np.array_equal(fp32, bf16) is not processor.processor_has_bf16()
