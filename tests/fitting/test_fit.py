"""The fit job: what is computed, what is known, what is switched off, and files that are the same each time."""

from __future__ import annotations

import csv
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from image_similarity import Workspace
from image_similarity.errors import CatalogueError, NotFittedError, UsageError
from image_similarity.fit import FitReport
from image_similarity.images.views import SIX_VIEWS
from image_similarity.settings import Settings
from tests.conftest import MeanColour, paint
from tests.support.shop import BLUE, MODEL, RED, WHITE, CountingModel, known, paint_shop, rows

ALL_ROWS = "SELECT * FROM features_shop ORDER BY id"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return paint_shop(tmp_path / "pictures")


def counted(report: FitReport) -> tuple[int, int, int]:
    counts = report.counts
    assert counts.seen == counts.done + counts.known + counts.failed
    assert counts.failed == len(report.failures)
    return counts.done, counts.known, counts.failed


def similar(report: FitReport) -> dict[str, list[str]]:
    loaded: dict[str, list[str]] = pickle.loads(Path(f"{report.recommendations}.pickle").read_bytes())
    return loaded


def test_a_fit_ends_with_each_products_most_similar_ones(workspace: Workspace, folder: Path) -> None:
    report = workspace.fit("shop", folder, model=MODEL, number=2)
    assert counted(report) == (6, 0, 0)
    assert report.products == 4
    assert report.recommendations == workspace.settings.root / "trained_models" / "shop_model_mean-colour"
    assert similar(report)["red"] == ["orange", "green"]
    assert similar(report)["orange"] == ["red", "green"]
    table = pq.read_table(f"{report.recommendations}.parquet").to_pylist()
    assert len(table) == 8
    assert table[-2]["product"] == "red"
    red, orange = np.array([240, 10, 10]), np.array([250, 90, 0])
    cosine = red @ orange / np.linalg.norm(red) / np.linalg.norm(orange)
    assert table[-2]["score"] == pytest.approx(cosine, abs=2e-3)
    assert (table[-2]["image"], table[-2]["similar_image"]) == ("red_2.png", "orange_1.png")


def test_what_is_stored_can_be_computed_by_hand(workspace: Workspace, folder: Path) -> None:
    paint(folder / "white_1.png", WHITE)
    paint(folder / "yellow_1.png", (255, 255, 0))
    workspace.fit("shop", folder, model=MODEL)
    stored = rows(workspace.settings, ALL_ROWS)
    assert [row[:5] for row in stored] == [
        ("blue_1.png,000", "blue", "000", 0, 1),
        ("green_1.png,000", "green", "000", 0, 1),
        ("green_2.png,000", "green", "000", 0, 1),
        ("orange_1.png,000", "orange", "000", 0, 1),
        ("red_1.png,000", "red", "000", 0, 1),
        ("red_2.png,000", "red", "000", 0, 1),
        ("white_1.png,000", "white", "000", 1, 1),
        ("yellow_1.png,000", "yellow", "000", 0, 1),
    ]
    blue, white = (np.frombuffer(stored[at][6], "<f2") for at in (0, -2))  # type: ignore[call-overload]
    np.testing.assert_allclose(blue, [0, 0, 1], atol=1e-3)
    np.testing.assert_allclose(white, [3**-0.5] * 3, atol=1e-3)


def test_a_second_run_computes_nothing_and_writes_the_same_files(
    workspace: Workspace, model: CountingModel, folder: Path
) -> None:
    first = workspace.fit("shop", folder, model=MODEL)
    files = {ending: Path(f"{first.recommendations}{ending}") for ending in (".pickle", ".parquet")}
    bytes_before = {ending: path.read_bytes() for ending, path in files.items()}
    rows_before = rows(workspace.settings, ALL_ROWS)
    second = workspace.fit("shop", folder, model=MODEL)
    assert counted(second) == (0, 6, 0)
    assert model.embedded == 6
    assert rows(workspace.settings, ALL_ROWS) == rows_before
    assert {ending: path.read_bytes() for ending, path in files.items()} == bytes_before


def test_two_workspaces_fitted_alike_have_the_same_bytes(workspace: Workspace, folder: Path, tmp_path: Path) -> None:
    other = Workspace(settings=replace(workspace.settings, root=tmp_path / "other"))
    here, there = (
        each.fit("shop", folder, model=MODEL, aggregate="mean").recommendations for each in (workspace, other)
    )
    for ending in (".pickle", ".parquet"):
        assert Path(f"{here}{ending}").read_bytes() == Path(f"{there}{ending}").read_bytes()


def test_a_changed_image_is_computed_again(workspace: Workspace, model: CountingModel, folder: Path) -> None:
    workspace.fit("shop", folder, model=MODEL)
    paint(folder / "blue_1.png", (255, 30, 0))
    report = workspace.fit("shop", folder, model=MODEL)
    assert counted(report) == (1, 5, 0)
    assert model.embedded == 7
    assert similar(report)["blue"][0] == "red"


def test_a_gone_image_is_switched_off_and_back_on_for_nothing(
    workspace: Workspace, model: CountingModel, folder: Path
) -> None:
    workspace.fit("shop", folder, model=MODEL)
    away = (folder / "blue_1.png").rename(folder.parent / "blue_1.png")
    report = workspace.fit("shop", folder, model=MODEL)
    assert counted(report) == (0, 5, 0)
    assert sorted(similar(report)) == ["green", "orange", "red"]
    assert rows(workspace.settings, "SELECT id FROM features_shop WHERE NOT active") == [("blue_1.png,000",)]
    away.rename(folder / "blue_1.png")
    report = workspace.fit("shop", folder, model=MODEL)
    assert counted(report) == (0, 6, 0)
    assert model.embedded == 6
    assert sorted(similar(report)) == ["blue", "green", "orange", "red"]


def test_a_new_product_costs_only_its_own_images(workspace: Workspace, model: CountingModel, folder: Path) -> None:
    workspace.fit("shop", folder, model=MODEL)
    paint(folder / "navy_1.png", (0, 10, 120))
    report = workspace.fit("shop", folder, model=MODEL)
    assert counted(report) == (1, 6, 0)
    assert similar(report)["blue"][0] == "navy"


def test_six_views_make_six_rows_an_image(workspace: Workspace, model: CountingModel, folder: Path) -> None:
    workspace.fit("shop", folder, model=MODEL)
    report = workspace.fit("shop", folder, model=MODEL, data_augmentation=1)
    assert counted(report) == (6, 0, 0)
    assert model.embedded == 6 + 36
    views = rows(workspace.settings, "SELECT view FROM features_shop WHERE id GLOB 'red_1.png,*' ORDER BY view")
    assert [view for (view,) in views] == sorted(SIX_VIEWS)
    assert rows(workspace.settings, "SELECT count(*) FROM features_shop") == [(36,)]
    assert counted(workspace.fit("shop", folder, model=MODEL)) == (0, 6, 0)


@pytest.mark.parametrize("copies", [2, 40])
def test_the_same_picture_under_several_names_is_computed_once(
    workspace: Workspace, model: CountingModel, tmp_path: Path, copies: int
) -> None:
    data = paint(tmp_path / "one.png", RED).read_bytes()
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(copies):
        (folder / f"p{number:02}_1.png").write_bytes(data)
    report = workspace.fit("shop", folder, model=MODEL, learn=False)
    assert model.embedded == 1
    assert counted(report) == (1, copies - 1, 0)
    assert rows(workspace.settings, "SELECT count(DISTINCT item_id), count(*) FROM features_shop") == [(copies, copies)]


def test_the_same_damaged_file_under_two_names_fails_twice(
    workspace: Workspace, model: CountingModel, folder: Path
) -> None:
    for name in ("x_1.jpg", "x_2.jpg", "y_1.jpg"):
        (folder / name).write_bytes(b"GIF89a")
    assert counted(workspace.fit("shop", folder, model=MODEL)) == (6, 0, 3)
    assert [each.image_id for _, each in workspace.failures("shop")] == ["x_1.jpg", "x_2.jpg", "y_1.jpg"]


def test_a_failure_is_a_row_and_the_run_goes_on(workspace: Workspace, model: CountingModel, folder: Path) -> None:
    whole = (folder / "green_1.png").read_bytes()
    (folder / "green_1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "grey_1.jpg").write_bytes(b"<html><body>404</body></html>")
    (folder / "none_1.jpg").write_bytes(b"")
    report = workspace.fit("shop", folder, model=MODEL)
    assert counted(report) == (5, 0, 3)
    assert sorted(similar(report)) == ["blue", "green", "orange", "red"]
    listed = [(job, each.stage, each.product_id, each.image_id) for job, each in workspace.failures("shop")]
    assert listed == [
        ("fit", "decode", "green", "green_1.png"),
        ("fit", "decode", "grey", "grey_1.jpg"),
        ("fit", "read", "none", "none_1.jpg"),
    ]
    reasons = {each.image_id: each.reason for each in report.failures}
    assert reasons["grey_1.jpg"] == "not an image: the file holds a web page"
    assert reasons["none_1.jpg"] == "the file is empty"

    (folder / "green_1.png").write_bytes(whole)
    (folder / "grey_1.jpg").unlink()
    (folder / "none_1.jpg").unlink()
    assert counted(workspace.fit("shop", folder, model=MODEL)) == (1, 5, 0)
    assert list(workspace.failures("shop")) == []


def test_an_image_that_went_bad_is_no_longer_shown(workspace: Workspace, model: CountingModel, folder: Path) -> None:
    workspace.fit("shop", folder, model=MODEL)
    whole = (folder / "blue_1.png").read_bytes()
    (folder / "blue_1.png").write_bytes(b"GIF89a")
    assert "blue" not in similar(workspace.fit("shop", folder, model=MODEL))
    (folder / "blue_1.png").write_bytes(whole)
    assert counted(workspace.fit("shop", folder, model=MODEL)) == (0, 6, 0)
    assert model.embedded == 6


def test_lines_of_a_table_that_repeat_or_contradict(workspace: Workspace, folder: Path) -> None:
    table = folder / "images.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("product_id", "image_id", "image"),
                ("red", "1", "red_1.png"),
                ("red", "1", "red_1.png"),
                ("red", "1", "red_2.png"),
                ("blue", "2", "blue_1.png"),
                ("", "3", "green_1.png"),
                ("green", "4", "gone.png"),
            ]
        )
    report = workspace.fit("shop", table, model=MODEL)
    assert counted(report) == (2, 1, 3)
    reasons = {(each.stage, each.product_id): each.reason for each in report.failures}
    assert reasons["list", "red"].startswith("the image id is already used by ")
    assert "has no product id" in reasons["list", ""]
    assert reasons["read", "green"] == "No such file or directory"


def test_one_photo_on_two_products_counts_for_both(workspace: Workspace, model: CountingModel, folder: Path) -> None:
    table = folder / "images.csv"
    lines = ["product_id,image_id,image", "red,1,red_1.png", "scarlet,1,red_1.png", "scarlet,1,red_1.png"]
    table.write_text("\n".join(lines))
    report = workspace.fit("shop", table, model=MODEL)
    assert counted(report) == (1, 2, 0)
    assert model.embedded == 1
    assert similar(report) == {"red": ["scarlet"], "scarlet": ["red"]}


def test_an_image_id_that_the_store_cannot_hold_is_a_failure(workspace: Workspace, folder: Path) -> None:
    table = folder / "images.jsonl"
    lines = [{"product_id": "red", "image_id": name, "image": "red_1.png"} for name in ("1\0a", "1\0b", "1")]
    table.write_text("\n".join(map(json.dumps, lines)))
    report = workspace.fit("shop", table, model=MODEL)
    assert counted(report) == (1, 0, 2)
    assert {each.reason for each in report.failures} == {"the image id holds a NUL character"}


def test_the_model_is_not_loaded_when_everything_is_known(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.fit("shop", folder, model=MODEL)
    known(monkeypatch, MeanColour(), load=lambda: pytest.fail("it is loaded"))
    assert counted(workspace.fit("shop", folder, model=MODEL, number=1)) == (0, 6, 0)


def test_progress_reaches_its_total(model: CountingModel, settings: Settings, folder: Path) -> None:
    reported: dict[str, tuple[int, int | None]] = {}
    watched = Workspace(
        settings=settings, progress=lambda stage, done, total=None: reported.update({stage: (done, total)})
    )
    watched.fit("shop", folder, model=MODEL)
    assert reported == {"features": (6, 6), "similar products": (4, 4)}


def test_the_datasets_own_folder_is_the_catalogue_when_none_is_named(workspace: Workspace) -> None:
    with pytest.raises(CatalogueError, match=r"there is no folder .*dataset/shop: give a catalogue"):
        workspace.fit("shop", model=MODEL)
    paint_shop(workspace.settings.root / "dataset" / "shop")
    assert counted(workspace.fit("shop", model=MODEL)) == (6, 0, 0)


def test_requests_that_cannot_be_are_refused_before_any_work(workspace: Workspace, folder: Path) -> None:
    for options in ({"number": 0}, {"aggregate": "median"}, {"data_augmentation": 2}, {"model": "VGG-16"}):
        with pytest.raises(UsageError):
            workspace.fit("shop", folder, **({"model": MODEL} | options))
    assert not workspace.settings.root.exists()


def test_a_catalogue_without_one_usable_image_says_why(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a_1.jpg").write_bytes(b"not an image")
    with pytest.raises(NotFittedError, match=r"none of 1 images could be used; the first, .*a_1\.jpg: not an image"):
        workspace.fit("shop", tmp_path / "bad", model=MODEL)


def test_one_product_alone_has_nobody_like_it(workspace: Workspace, tmp_path: Path) -> None:
    paint(tmp_path / "one" / "a_1.png", BLUE)
    report = workspace.fit("shop", tmp_path / "one", model=MODEL)
    assert similar(report) == {"a": []}
    assert workspace.similar("shop", "a", model=MODEL).matches == []
