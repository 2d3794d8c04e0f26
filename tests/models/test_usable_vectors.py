"""A picture that a network makes nothing of fails by itself: in a fit, a search, a service; and no row is ever -1."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_similarity import Workspace
from image_similarity.errors import ImageError, ModelError
from image_similarity.models.unit_vectors import embed_each
from image_similarity.neighbours.cells.index import CellsIndex
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.options import EvaluateOptions
from image_similarity.settings import Settings
from tests.conftest import MeanColour, paint
from tests.support.shop import MODEL, known, rows

HOW = ["zero", "not finite", "raises"]


class Choosy(MeanColour):
    """Makes nothing of a black picture, in one of three ways, and then of nothing beside it."""

    def __init__(self, how: str) -> None:
        self.how = how

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        vectors = super().embed(pixels)
        black = ~pixels.any(axis=(1, 2, 3))
        if black.any() and self.how == "raises":
            raise RuntimeError("Check 'false' failed\nin a file far away")
        if black.any() and self.how == "not finite":
            raise ModelError("mean-colour gave numbers that are not finite")
        vectors[black] = 0
        return vectors


@pytest.fixture(params=HOW)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    model = Choosy(request.param)
    known(monkeypatch, model)
    return str(request.param)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for name, colour in {"a": (250, 0, 0), "b": (0, 250, 0), "black": (0, 0, 0), "c": (0, 0, 250)}.items():
        paint(folder / f"{name}_1.png", colour)
    return folder


def test_a_fit_names_the_picture_and_goes_on(how: str, settings: Settings, pictures: Path) -> None:
    paint(pictures / "night_1.png", (0, 0, 0))  # the same file once more
    report = Workspace(settings=settings).fit("shop", pictures, model=MODEL)
    assert [(each.stage, each.product_id) for each in report.failures] == [("embed", "black"), ("embed", "night")]
    assert (report.counts.done, report.counts.failed, report.counts.seen) == (3, 2, 5)
    assert rows(settings, "SELECT DISTINCT item_id FROM features_shop WHERE active") == [("a",), ("b",), ("c",)]
    again = Workspace(settings=settings).fit("shop", pictures, model=MODEL, data_augmentation=1)
    assert (again.counts.done, again.counts.failed) == (3, 2)


def test_a_search_with_it_is_refused_in_a_sentence(how: str, settings: Settings, pictures: Path) -> None:
    shop = Workspace(settings=settings)
    shop.fit("shop", pictures, model=MODEL)
    with pytest.raises(ImageError) as refused:
        shop.search("shop", pictures / "black_1.png", model=MODEL)
    assert refused.value.stage == "embed"
    assert "\n" not in str(refused.value)
    assert shop.search("shop", pictures / "a_1.png", model=MODEL).matches[0].product_id == "a"


@pytest.mark.parametrize("how", ["not finite"], indirect=True)
def test_an_evaluation_names_the_photo_and_asks_with_the_others(
    how: str, settings: Settings, pictures: Path, tmp_path: Path
) -> None:
    shop = Workspace(settings=settings)
    paint(pictures / "a_2.png", (240, 10, 10))
    for model in (MODEL, "colour"):
        shop.fit("shop", pictures, model=model)
    shop.fit("shop", pictures, model=MODEL)  # last: now both have the same pictures
    photos = {"night": (0, 0, 0), "day": (250, 5, 5)}
    table = tmp_path / "labels.csv"
    for name, colour in photos.items():
        paint(tmp_path / f"{name}.png", colour)
    for names in (["night", "day"], ["night"]):
        table.write_text("photo,product_id\n" + "".join(f"{name}.png,a\n" for name in names))
        options = EvaluateOptions(labels=str(table), simulated=0)
        for models in ([MODEL], ["colour", MODEL]):
            found = shop.evaluate("shop", model=models, options=options)
            assert [(each.stage, each.image_id) for each in found.failures] == [("embed", "night.png")]
            queries = {each.queries for each in found.results if each.protocol == "photos"}
            assert queries == ({1} if len(names) == 2 else set())
            json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize("how", ["not finite"], indirect=True)
def test_a_calibration_asks_with_the_others(
    how: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Workspace(settings=settings)
    chance = np.random.default_rng(3)
    for number in range(36):
        red, green, blue = chance.integers(100, 250, 3).tolist()
        for turn in (1, 2):
            paint(tmp_path / "pictures" / f"p{number:02}_{turn}.png", (red, green, blue), spot=turn)
    shop.fit("shop", tmp_path / "pictures", model=MODEL, learn=False)

    class Sunny(Choosy):
        def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            dark = pixels.mean(axis=(1, 2, 3)) < 105
            return super().embed(np.where(dark[:, None, None, None], 0, pixels).astype(np.uint8))

    known(monkeypatch, Sunny(how))
    report = shop.calibrate("shop", model=MODEL, images=36)
    assert 30 <= report.calibrated["photo"].queries["simulated photos"] < 36
    json.dumps(report.as_dict(), allow_nan=False)


def test_each_row_fails_by_itself() -> None:
    def embed(some: object) -> NDArray[np.float32]:
        vectors = np.array(some, np.float32)
        if (vectors < 0).any():
            raise ValueError("no")
        return vectors

    found = embed_each(embed, [[1, 0], [-1, 0], [0, 0], [0, 1], [np.nan, 1]])
    assert [isinstance(each, ImageError) for each in found] == [False, True, True, False, True]
    assert embed_each(embed, []) == []


def png(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 16), colour).save(file, "PNG")
    return file.getvalue()


def test_in_the_service_only_that_photo_is_refused(how: str, settings: Settings, pictures: Path) -> None:
    from fastapi.testclient import TestClient

    from image_similarity.dataset import Dataset
    from image_similarity.options import ModelChoice
    from image_similarity.service.app import create_app
    from image_similarity.service.options import ServiceOptions

    Workspace(settings=settings).fit("shop", pictures, model=MODEL)
    options = ServiceOptions(Dataset.named("shop"), (ModelChoice(MODEL),))
    with TestClient(create_app(options, settings), base_url="http://127.0.0.1") as client:

        def status_of(colour: tuple[int, int, int]) -> int:
            return client.post("/v1/search", files={"file": png(colour)}).status_code

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(status_of, [(250, 0, 0), (0, 0, 0), (0, 250, 0), (0, 0, 250)] * 6))
        assert codes == [200, 422, 200, 200] * 6
        put = client.put("/v1/products/dark", files={"images": png((0, 0, 0))})
        assert put.status_code == 422
        assert client.get("/v1/products/dark").status_code == 404


def test_a_query_that_is_like_nothing_gets_rows_from_cells_too() -> None:
    chance = np.random.default_rng(5)
    centres = chance.standard_normal((20, 16))
    vectors = centres[np.arange(3000) % 20] + 0.1 * chance.standard_normal((3000, 16))
    vectors[::7] = 0  # as an earlier version stored them
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    stored = (vectors / lengths).astype(np.float16)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        index = CellsIndex.build(stored, Path(folder))
        allowed = np.arange(3000) % 3 > 0
        queries = np.concatenate([np.zeros((2, 16), np.float32), stored[1:4].astype(np.float32)])
        for some in (None, allowed):
            for k in (1, 10, 2500):
                found = index.search(queries, k, some)
                expected = ExactIndex(stored).search(queries, k, some)
                assert found.rows.shape == expected.rows.shape
                assert all(len(set(line)) == len(line) for line in found.rows.tolist())
                assert found.rows.min() >= 0
                np.testing.assert_array_equal(found.scores[:2], expected.scores[:2])
