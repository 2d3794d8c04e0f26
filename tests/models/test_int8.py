"""int8: calibrated on the catalogue itself, compared with fp32 before it is used, kept, and never mixed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from image_similarity.dataset import Dataset
from image_similarity.errors import ModelError, NotFittedError, UsageError
from image_similarity.fitting import precision_check as int8
from image_similarity.fitting.sampling import CALIBRATION, CHECKED, OF_EACH, PRODUCTS, SMALL, sample_catalogue
from image_similarity.models.resolver import int8_folder
from image_similarity.options import ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage
from image_similarity.workspace import Workspace
from tests.conftest import paint
from tests.support.models import model_spec
from tests.support.shop import paint_shop
from tests.support.tiny_networks import OPSET, describe

SHOP = Dataset.named("shop")
SIDE, CHANNELS = 16, 8


@pytest.fixture
def network(tmp_path: Path) -> str:
    """Two convolutions and the mean over the picture: the least that has something to quantise."""
    return small_network(tmp_path)


def small_network(tmp_path: Path, *last: Any) -> str:
    """The same, with nodes behind it that make ``features`` of ``flat``."""
    import onnx

    generator = np.random.default_rng(3)
    shapes = {"first": (CHANNELS, 3, 3, 3), "second": (CHANNELS, CHANNELS, 3, 3)}
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["flat"]),
        *(last or [helper.make_node("Identity", ["flat"], ["features"])]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, CHANNELS])],
        [
            numpy_helper.from_array(generator.standard_normal(shape).astype(np.float32), name)
            for name, shape in shapes.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.save(model, tmp_path / "tiny.onnx")
    return str(describe(tmp_path / "tiny.onnx", dimension=CHANNELS, input_size=SIDE, resize="stretch"))


@pytest.fixture
def workspace(settings: Settings) -> Workspace:
    return Workspace(settings=settings)


def in_int8(network: str, **changes: Any) -> ModelChoice:
    return ModelChoice(network, precision="int8", **changes)


def kept(network: str, settings: Settings) -> Path:
    return int8_folder(model_spec(ModelChoice(network)).key, SHOP, settings)


def test_a_picture_that_the_network_makes_nothing_of_costs_no_other_its_vector(
    workspace: Workspace, tmp_path: Path
) -> None:
    last = [
        helper.make_node("Relu", ["flat"], ["some"]),
        helper.make_node("ReduceL2", ["some"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Div", ["some", "length"], ["features"]),  # of a black picture 0 / 0
    ]
    network = small_network(tmp_path, *last)
    pictures = paint_shop(tmp_path / "pictures")
    paint(pictures / "black_1.png", (0, 0, 0))
    exact = workspace.fit("shop", pictures, model=ModelChoice(network, precision="fp32"))
    assert [(each.stage, each.image_id) for each in exact.failures] == [("embed", "black_1.png")]
    report = workspace.fit("shop", pictures, model=in_int8(network, force_int8=True))
    assert {each.image_id for each in report.failures} <= {"black_1.png"}
    assert report.counts.seen == 7


# Fit ---------------------------------------------------------------------------------------------------------------


def test_a_fit_in_int8_is_calibrated_compared_and_kept(
    workspace: Workspace, tmp_path: Path, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = paint_shop(tmp_path / "pictures")
    report = workspace.fit("shop", pictures, model=in_int8(network))
    check = report.embedded.int8
    assert check is not None
    assert (check.calibrated_on, check.images, check.held_out) == (6, 6, False)
    assert check.overlap == 1.0  # of six pictures, all five others
    assert check.passed
    assert report.model_key == f"{model_spec(ModelChoice(network)).key}-int8-{check.digest}"
    assert "the catalogue is too small" in str(check)
    # The second time nothing is calibrated, compared or embedded: neither NNCF nor fp32 is there any more.
    monkeypatch.setitem(sys.modules, "nncf", None)
    steps: list[str] = []
    workspace.progress = lambda stage, done, total=None: steps.append(stage)
    again = workspace.fit("shop", pictures, model=in_int8(network))
    assert set(steps) == {"features", "similar products"}
    assert (again.model_key, again.embedded.int8, again.counts.done) == (report.model_key, check, 0)


def test_what_was_fitted_in_int8_alone_is_found_without_asking_for_it(
    workspace: Workspace, tmp_path: Path, network: str
) -> None:
    pictures = paint_shop(tmp_path / "pictures")
    key = workspace.fit("shop", pictures, model=in_int8(network)).model_key
    for model in (network, in_int8(network)):
        assert workspace.evaluate("shop", model=model).model_key == key
        assert workspace.similar("shop", "red", model=model).matches[0].product_id == "orange"
        assert workspace.search("shop", pictures / "blue_1.png", model=model).matches[0].product_id == "blue"
    with pytest.raises(NotFittedError, match="has no features of"):
        workspace.evaluate("shop", model=ModelChoice(network, precision="fp32"))


def test_a_network_too_far_from_fp32_is_refused_with_the_figures_unless_forced(
    workspace: Workspace, tmp_path: Path
) -> None:
    large = helper.make_tensor("large", TensorProto.FLOAT, [1], [1e4])
    last = [  # of a little more or less it makes something else altogether
        helper.make_node("Constant", [], ["large"], value=large),
        helper.make_node("Mul", ["flat", "large"], ["many"]),
        helper.make_node("Sin", ["many"], ["features"]),
    ]
    network, pictures = small_network(tmp_path, *last), tmp_path / "pictures"
    for number in range(40):
        paint(pictures / f"p{number // 2:02}_{number}.png", (6 * number, 255 - 6 * number, 99), spot=number)
    for _ in range(2):
        with pytest.raises(ModelError, match=r"0\.[0-8]\d\d of the ten nearest are the same, R@1 .*`force_int8`"):
            workspace.fit("shop", pictures, model=in_int8(network))
    report = workspace.fit("shop", pictures, model=in_int8(network, force_int8=True))
    assert report.embedded.int8 is not None
    assert not report.embedded.int8.passed
    assert report.counts.done == 40


@pytest.mark.parametrize(
    ("overlap", "r_at_1", "passed"),
    [(0.90, 0.49, True), (0.899, 0.5, False), (1.0, 0.489, False), (0.95, 0.6, True), (0.95, None, True)],
)
def test_nine_tenths_of_the_nearest_and_one_point_of_recall(overlap: float, r_at_1: float | None, passed: bool) -> None:
    fp32 = None if r_at_1 is None else 0.5
    assert int8.Int8Check("0" * 8, 300, 500, True, overlap, r_at_1, fp32).passed is passed


def test_a_comparison_that_was_interrupted_is_made_again_on_the_same_network(
    workspace: Workspace, settings: Settings, tmp_path: Path, network: str
) -> None:
    pictures = paint_shop(tmp_path / "pictures")

    def stopped(stage: str, done: int, total: int | None = None) -> None:
        if stage == "compare int8 with fp32":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Workspace(settings=settings, progress=stopped).fit("shop", pictures, model=in_int8(network))
    folder = kept(network, settings)
    assert sorted(path.name for path in folder.iterdir()) == ["model.bin", "model.xml", "record.json"]
    record = (folder / "record.json").read_bytes()
    report = workspace.fit("shop", pictures, model=in_int8(network))
    assert report.embedded.int8 is not None
    assert (folder / "record.json").read_bytes() == record
    assert (folder / "check.json").exists()


def test_another_calibration_is_another_model(
    workspace: Workspace, settings: Settings, tmp_path: Path, network: str
) -> None:
    import shutil

    pictures = paint_shop(tmp_path / "pictures")
    first = workspace.fit("shop", pictures, model=in_int8(network))
    shutil.rmtree(kept(network, settings))
    paint(pictures / "grey_1.png", (9, 9, 200))
    second = workspace.fit("shop", pictures, model=in_int8(network))
    assert first.model_key != second.model_key
    assert second.counts.done == 7


def test_a_network_whose_bytes_have_changed_is_refused(
    workspace: Workspace, settings: Settings, tmp_path: Path, network: str
) -> None:
    pictures = paint_shop(tmp_path / "pictures")
    workspace.fit("shop", pictures, model=in_int8(network))
    numbers = kept(network, settings) / "model.bin"
    numbers.write_bytes(numbers.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match=r"does not hold the network .* Remove the folder"):
        workspace.search("shop", pictures / "red_1.png", model=in_int8(network))


def test_without_nncf_the_error_says_how_to_install_it(
    workspace: Workspace, settings: Settings, tmp_path: Path, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(ModelError, match=r"pip install 'image-similarity\[int8\]'"):
        workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=in_int8(network))
    assert not kept(network, settings).exists()


def test_nothing_is_printed_by_others(
    workspace: Workspace, tmp_path: Path, network: str, capfd: pytest.CaptureFixture[str]
) -> None:
    steps: list[tuple[str, int, int | None]] = []
    workspace.progress = lambda stage, done, total=None: steps.append((stage, done, total))
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=in_int8(network))
    assert capfd.readouterr() == ("", "")
    assert ("calibrate tiny", 6, 6) in steps
    assert ("compare int8 with fp32", 6, 6) in steps


def test_forcing_goes_with_int8_alone() -> None:
    with pytest.raises(UsageError, match="`force_int8` goes with `precision` int8"):
        ModelChoice("VGG", force_int8=True)
    assert replace(ModelChoice("VGG", precision="int8"), force_int8=True).force_int8


# The sample --------------------------------------------------------------------------------------------------------


def catalogue(products: int, images: int) -> list[CatalogueImage]:
    return [CatalogueImage(f"{p}_{i}", str(p), "") for p in range(products) for i in range(images)]


def test_the_check_has_whole_products_and_none_of_the_calibration() -> None:
    images = catalogue(400, 3)
    taken = sample_catalogue(images)
    assert taken.held_out
    assert (len(taken.calibration), len(taken.check)) == (CALIBRATION, CHECKED - CHECKED % 3)
    assert not {image.image_id for image in taken.calibration} & {image.image_id for image in taken.check}
    sizes = np.unique([image.product_id for image in taken.check], return_counts=True)[1]
    assert set(sizes) == {3}
    assert len({image.product_id for image in taken.calibration}) >= 200  # spread: a second of each comes later


def test_the_sample_does_not_depend_on_the_order_of_the_catalogue() -> None:
    images = catalogue(90, 4)
    assert sample_catalogue(images) == sample_catalogue(images[::-1])


def test_a_small_catalogue_gives_all_to_both() -> None:
    taken = sample_catalogue(catalogue(SMALL - 1, 1))
    assert not taken.held_out
    assert len(taken.calibration) == len(taken.check) == SMALL - 1


def test_a_catalogue_without_end_is_sampled_in_little_memory() -> None:
    taken = sample_catalogue(catalogue(5 * PRODUCTS, 2))
    assert (len(taken.calibration), len(taken.check)) == (CALIBRATION, CHECKED)
    assert sample_catalogue(catalogue(2, 10 * OF_EACH)).check[0].product_id in ("0", "1")
