"""The table of pulled models: every record, with a network of its form in the place of the real one."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime import InferenceSession  # type: ignore[import-untyped]

from image_similarity import Workspace
from image_similarity.errors import UsageError, WeightsError
from image_similarity.images.resampling import FILTERS
from image_similarity.models.hub_records import NEWEST, RECORDS, WITH_TEXT, HubRecord
from image_similarity.models.inventory import pull_models
from image_similarity.models.registry import MODELS
from image_similarity.models.suitability import SUITABILITY
from image_similarity.options import EvaluateOptions, ModelChoice
from image_similarity.settings import Settings
from image_similarity.types import no_progress
from tests.support.hub import HubServer, fabricate
from tests.support.models import load_model, model_spec
from tests.support.shop import paint_shop

WANTED = ("Marqo-FashionSigLIP", "Marqo-Ecommerce-B", "SigLIP2-B-384", "SigLIP2-B-224", "UNICOM-B32", "DINOv2-S")
ALL = pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)


def test_the_table_has_all_that_it_should() -> None:
    assert tuple(RECORDS) == WANTED
    assert set(WANTED) <= set(MODELS)
    assert {"VGG", "Inception_Resnet", "colour-shape"} <= set(MODELS)
    assert set(SUITABILITY) == set(MODELS)
    assert WITH_TEXT == ("Marqo-FashionSigLIP", "SigLIP2-B-384", "SigLIP2-B-224")


@ALL
def test_a_record_cannot_be_changed(record: HubRecord) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.dimension = 1  # type: ignore[misc]


@ALL
def test_a_record_says_what_a_shop_must_know(record: HubRecord) -> None:
    assert record.licence.split()[0] in ("Apache-2.0", "MIT")
    assert record.commercial_use
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", record.repo)
    assert re.fullmatch(r"[0-9a-f]{40}", record.revision) or record.revision == NEWEST
    for file in record.files:
        assert file.size > 1_000_000
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256) or not file.sha256
    if record.revision == NEWEST:  # a digest goes with a commit
        assert not any(file.sha256 for file in record.files)
    else:
        assert record.file.sha256


@ALL
def test_a_record_says_how_pictures_become_numbers(record: HubRecord) -> None:
    assert record.dimension in (384, 512, 768)
    assert record.input.size in (224, 384)
    assert record.input.interpolation in FILTERS
    assert record.input.resize in ("stretch", "crop")
    assert all(0.2 <= value <= 0.5 for value in (*record.mean, *record.std))
    if record.text is not None:
        assert record.text.length == 64


def test_a_name_can_stand_beside_others_in_a_mixture() -> None:
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9.-]*", name) for name in RECORDS)


@pytest.mark.parametrize("known", [True, False], ids=["pinned", "first use"])
@pytest.mark.parametrize("name", RECORDS)
def test_every_model_is_pulled_loaded_and_asked_through_the_same_few_calls(
    name: str, known: bool, online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = fabricate(monkeypatch, hub, name, known=known)
    (pulled,) = pull_models([name], online)
    choice = ModelChoice(name, precision="fp32")
    model = load_model(choice, online, no_progress)
    size = record.input.size
    pixels = np.random.default_rng(3).integers(0, 256, (2, size, size, 3), np.uint8)
    vectors = model.embed(pixels)
    assert vectors.shape == (2, record.dimension) == (2, model.spec.dimension)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    expected = by_onnx_runtime(pulled.folder / record.file.path, record, pixels)
    assert np.allclose(vectors, expected, atol=1e-5)
    if record.file.path.endswith(".onnx"):  # what is exported is such a file too
        on_gpu = dataclasses.replace(online, device="gpu", gpu_provider="CPUExecutionProvider")
        assert np.allclose(load_model(choice, on_gpu, no_progress).embed(pixels), expected, atol=1e-5)
    assert model.spec == model_spec(choice, online)


def by_onnx_runtime(path: Path, record: HubRecord, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The vectors as the records' authors would compute them."""
    numbers = (pixels.astype(np.float32) / 255 - record.mean) / record.std
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    planes = numbers.transpose(0, 3, 1, 2).astype(np.float32)
    (rows,) = session.run([record.output] if record.output else None, {"pixel_values": planes})
    rows = rows[:, 0] if record.first_token else rows
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("name", RECORDS)
def test_a_model_that_was_not_pulled_says_how_to_pull_it(name: str, settings: Settings) -> None:
    with pytest.raises(WeightsError) as caught:
        load_model(ModelChoice(name), settings, no_progress)
    assert str(caught.value) == (
        f"{name} is not here: run `image-similarity models pull {name}`, or point IMAGE_SIMILARITY_MODELS at a folder "
        "that has it"
    )


def test_a_record_with_a_digest_has_its_key_before_the_pull(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = model_spec(ModelChoice("DINOv2-S")).key
    assert re.fullmatch("DINOv2-S@[0-9a-f]{8}", before)
    assert model_spec(ModelChoice("DINOv2-S", precision="bf16")).key == f"{before}-bf16"
    fabricate(monkeypatch, hub, "DINOv2-S")
    pull_models(["DINOv2-S"], online)
    assert model_spec(ModelChoice("DINOv2-S"), online).key != before  # another file, another model


@pytest.mark.parametrize("choice", [{"weights": Path("a.onnx")}, {"weights_digest": "0" * 64}])
def test_a_pulled_model_takes_no_other_weights(choice: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"leave `weights` out, and describe a file of your own in a \.toml"):
        model_spec(ModelChoice("DINOv2-S", **choice))  # type: ignore[arg-type]


def test_a_pulled_model_is_fitted_searched_and_evaluated_through_the_same_few_calls(
    online: Settings, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "DINOv2-S"  # from its loaded network on, one model is as the other
    fabricate(monkeypatch, hub, name)
    folder = tmp_path / "pictures"
    folder.mkdir()
    paint_shop(folder)
    workspace = Workspace(settings=online)
    workspace.pull_models(name)
    for model in (name, f"{name}+0.2*colour"):
        report = workspace.fit("shop", folder, model=model)
        assert (report.counts.failed, report.products) == (0, 4)
        found = workspace.search("shop", folder / "blue_1.png", model=model, number=1)
        assert found.matches[0].product_id == "blue"
        result = workspace.evaluate("shop", model=model, options=EvaluateOptions(simulated=2))
        assert result.model_key == report.model_key
        assert result.costs[0].images_per_second
