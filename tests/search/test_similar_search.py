"""Queries by product and by photo, through the workspace."""

from __future__ import annotations

import csv
import json
import pickle
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.cli.app import app
from image_similarity.errors import NotFittedError, UsageError
from image_similarity.search.answer import Answer
from image_similarity.settings import Folders, Settings
from image_similarity.store.database import dataset_names
from tests.conftest import MeanColour, paint
from tests.support.shop import BLUE, GREEN, MODEL, RED, known, paint_shop, register, rows


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Workspace:
    register(monkeypatch)
    return Workspace(settings=settings)


@pytest.fixture
def fitted(workspace: Workspace, tmp_path: Path) -> Workspace:
    folder = paint_shop(tmp_path / "pictures")
    with (folder / "products.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("product_id", "title", "description"), ("red", "Red <ball>", "Round"), ("orange", "Orange ball", "")]
        )
    workspace.fit("shop", folder, model=MODEL)
    return workspace


def found(answer: Answer) -> list[str]:
    return [match.product_id for match in answer.matches]


def test_similar_products_come_with_texts_scores_and_images(fitted: Workspace, tmp_path: Path) -> None:
    answer = fitted.similar("shop", "red", model=MODEL)
    assert found(answer) == ["orange", "green", "blue"]
    assert (answer.query.product.title, answer.query.product.description) == ("Red <ball>", "Round")
    assert [each.product.title for each in answer.shown] == ["Orange ball", "", ""]
    first = answer.as_dict()["matches"][0]
    assert first["image"] == str(tmp_path / "pictures" / "orange_1.png")
    assert (first["rank"], first["image_id"], first["query_image_id"]) == (1, "orange_1.png", "red_2.png")
    assert first["score"] == pytest.approx(0.953, abs=1e-3)
    assert answer.query.image == str(tmp_path / "pictures" / "red_1.png")  # its first, whichever matched best


def test_fewer_products_can_be_requested_than_were_fitted(fitted: Workspace) -> None:
    assert found(fitted.similar("shop", "red", model=MODEL, number=1)) == ["orange"]
    assert len(found(fitted.similar("shop", "red", model=MODEL, number=99))) == 3
    with pytest.raises(UsageError, match="1 or more, not 0"):
        fitted.similar("shop", "red", model=MODEL, number=0)


def test_without_a_product_one_is_picked_by_chance(fitted: Workspace) -> None:
    picked = {fitted.similar("shop", model=MODEL).query.product.product_id for _ in range(100)}
    assert picked == {"blue", "green", "orange", "red"}


def test_for_an_unknown_product_similar_ids_are_suggested(fitted: Workspace) -> None:
    with pytest.raises(UsageError, match=r"there is no product 'gren' in .*\. Did you mean green, red\?"):
        fitted.similar("shop", "gren", model=MODEL)


def test_before_a_fit_the_error_says_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    photo = paint(tmp_path / "photo.png", RED)
    with pytest.raises(NotFittedError, match="run fit first"):
        workspace.similar("shop", "red", model=MODEL)
    with pytest.raises(NotFittedError, match="Run fit first"):
        workspace.search("shop", photo, model=MODEL)
    with pytest.raises(NotFittedError, match="Run fit first"):
        workspace.failures("shop")
    assert not workspace.settings.root.exists()


def test_a_dataset_or_model_that_was_not_fitted_is_named(fitted: Workspace, tmp_path: Path) -> None:
    photo = paint(tmp_path / "photo.png", RED)
    with pytest.raises(NotFittedError, match=r"the dataset hats is not fitted \(fitted: shop\): run fit first"):
        fitted.search("hats", photo, model=MODEL)
    with pytest.raises(
        NotFittedError, match=r"no features of colour-shape \(only of: mean-colour\): run fit with that model"
    ):
        fitted.search("shop", photo, model="colour-shape")
    with pytest.raises(NotFittedError, match=r"no recommendations of colour-shape for shop in .*: run fit first"):
        fitted.similar("shop", "red", model="colour-shape")


def test_a_pickle_of_the_first_version_alone_answers(workspace: Workspace) -> None:
    folder = workspace.settings.root / "trained_models"
    folder.mkdir(parents=True)
    (folder / "shop_model_mean-colour.pickle").write_bytes(pickle.dumps({"helmet1": ["helmet2", "stick1"]}, 2))
    answer = workspace.similar("shop", "helmet1", model=MODEL)
    assert found(answer) == ["helmet2", "stick1"]
    assert {match.score for match in answer.matches} == {None}
    assert {each.image for each in answer.shown} == {""}
    assert "helmet2" in answer._repr_html_()
    assert not (workspace.settings.root / "database").exists()


def test_a_photo_finds_products_by_path_and_by_bytes(fitted: Workspace, tmp_path: Path) -> None:
    photo = paint(tmp_path / "my photo.png", (20, 30, 240))
    by_path = fitted.search("shop", photo, model=MODEL, number=2)
    assert found(by_path) == ["blue", "green"]
    assert by_path.matches[0].score == pytest.approx(240 / (20**2 + 30**2 + 240**2) ** 0.5, abs=2e-3)
    assert by_path.matches[0].query_image_id == "my photo.png"
    assert by_path.query.image == str(photo)
    by_bytes = fitted.search("shop", photo.read_bytes(), model=MODEL, number=2)
    assert [(match.product_id, match.score) for match in by_bytes.matches] == [
        (match.product_id, match.score) for match in by_path.matches
    ]
    assert by_bytes.query.product.product_id == "standard input"


def test_several_photos_of_one_thing_are_one_query(fitted: Workspace, tmp_path: Path) -> None:
    green, blue = paint(tmp_path / "front.png", GREEN), paint(tmp_path / "back.png", (20, 30, 240))
    answer = fitted.search("shop", [green, blue.read_bytes()], model=MODEL, number=2)
    assert {match.product_id: match.query_image_id for match in answer.matches} == {
        "green": "front.png",
        "blue": "standard input",
    }
    assert (answer.query.product.product_id, answer.query.image) == ("front.png, standard input", str(green))
    command = [
        "search",
        str(green),
        str(blue),
        "--dataset",
        "shop",
        "--model",
        MODEL,
        "--number",
        "2",
        "--format",
        "json",
    ]
    ran = CliRunner().invoke(app, [*command, "--workspace", str(fitted.settings.root)])
    matches = json.loads(ran.stdout)["matches"]
    assert {match["product_id"]: match["query_image_id"] for match in matches} == {
        "green": "front.png",
        "blue": "back.png",
    }
    with pytest.raises(UsageError, match="takes one photo"):
        fitted.search("shop", [green, blue], model=MODEL, explain=True)
    with pytest.raises(UsageError, match=r"the photo gone\.png cannot be used"):
        fitted.search("shop", [green, tmp_path / "gone.png"], model=MODEL)
    with pytest.raises(UsageError, match="nothing to search for"):
        fitted.search("shop", [], model=MODEL)


@pytest.mark.parametrize("aggregate", ["best", "mean", "votes"])
def test_every_way_of_ranking_answers_a_photo(fitted: Workspace, tmp_path: Path, aggregate: str) -> None:
    photo = paint(tmp_path / "photo.png", GREEN)
    answer = fitted.search("shop", photo, model=MODEL, aggregate=aggregate)
    assert found(answer)[0] == "green"
    assert len(found(answer)) == 4


def test_a_photo_that_cannot_be_used_is_named(fitted: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the photo none\.jpg cannot be used: No such file"):
        fitted.search("shop", tmp_path / "none.jpg", model=MODEL)
    with pytest.raises(UsageError, match="the photo standard input cannot be used: not an image in any known format"):
        fitted.search("shop", b"hello", model=MODEL)
    with pytest.raises(UsageError, match="no `aggregate` 'median'"):
        fitted.search("shop", b"hello", model=MODEL, aggregate="median")


class TopColour(MeanColour):
    """Sees the upper half only, so that an image upside down looks like another one."""

    spec = replace(MeanColour.spec, name="top-colour", key="top-colour")

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().embed(pixels[:, : pixels.shape[1] // 2])


def two_halves(path: Path, upper: tuple[int, int, int], lower: tuple[int, int, int]) -> Path:
    path.parent.mkdir(exist_ok=True)
    image = Image.new("RGB", (16, 16), lower)
    image.paste(upper, (0, 0, 16, 8))
    image.save(path)
    return path


def test_a_search_compares_with_the_views_that_were_fitted(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, TopColour())
    folder = tmp_path / "pictures"
    two_halves(folder / "ball_1.png", RED, BLUE)
    two_halves(folder / "bag_1.png", GREEN, GREEN)
    photo = two_halves(tmp_path / "headstand.png", BLUE, RED)
    options = {"model": "top-colour", "number": 1}

    workspace.fit("shop", folder, model="top-colour")
    assert workspace.search("shop", photo, **options).matches[0].score == pytest.approx(0, abs=0.01)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no features of the six views: run fit with `data_augmentation` 1 first"):
        workspace.search("shop", photo, data_augmentation=1, **options)  # type: ignore[arg-type]

    workspace.fit("shop", folder, model="top-colour", data_augmentation=1)
    for data_augmentation, score in ((None, 1), (1, 1), (0, 0)):
        (match,) = workspace.search("shop", photo, data_augmentation=data_augmentation, **options).matches  # type: ignore[arg-type]
        assert match.score == pytest.approx(score, abs=0.01)
        if score:
            assert (match.product_id, match.image_id) == ("ball", "ball_1.png")


def test_in_a_notebook_an_answer_shows_as_images(fitted: Workspace, tmp_path: Path) -> None:
    html = fitted.similar("shop", "red", model=MODEL)._repr_html_()
    assert html.count("<img") == 4
    assert html.count("data:image/") == 4
    assert "Red &lt;ball&gt;" in html
    photo = paint(tmp_path / "photo.png", RED)
    assert fitted.search("shop", photo, model=MODEL, number=2)._repr_html_().count("data:image/") == 3


def test_a_workspace_of_the_first_versions_with_its_own_store_answers_and_is_fitted(
    workspace: Workspace, tmp_path: Path
) -> None:
    folders = Folders(workspace.settings.root)
    for folder in (folders.trained_models, folders.database.parent):
        folder.mkdir(parents=True)
    (folders.trained_models / "shop_model_mean-colour.pickle").write_bytes(pickle.dumps({"red": ["green"]}, 2))
    with closing(sqlite3.connect(folders.database)) as connection, connection:
        connection.execute("CREATE TABLE features_shop (id TEXT, item_id TEXT, features_VGG BLOB, active INTEGER)")
        connection.execute("INSERT INTO features_shop VALUES ('red_1.png,000', 'red', x'00', 1)")
    its_own = folders.database.read_bytes()
    assert found(workspace.similar("shop", "red", model=MODEL)) == ["green"]
    assert dataset_names(folders.database) == []
    assert folders.database.read_bytes() == its_own
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    assert len(found(workspace.similar("shop", "red", model=MODEL))) == 3
    kept = rows(workspace.settings, "SELECT * FROM first_version_features_shop")
    assert kept == [("red_1.png,000", "red", b"\0", 1)]
