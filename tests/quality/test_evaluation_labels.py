"""Labels: photos with their products, and picks; missing ones are counted, never ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from image_similarity import Workspace
from image_similarity.catalogue.labels import read_labels
from image_similarity.cli.app import app
from image_similarity.errors import SOME_FAILED, CatalogueError
from image_similarity.options import EvaluateOptions
from image_similarity.settings import Settings
from tests.conftest import paint
from tests.support.shop import BLUE, GREEN, MODEL, RED, paint_shop, register

ROWS = [("red.png", "red"), ("other/blue.png", "blue"), ("red.png", "orange")]


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> Workspace:
    register(monkeypatch)
    workspace = Workspace(settings=settings)
    workspace.fit("shop", paint_shop(tmp_path / "pictures"), model=MODEL)
    return workspace


def written(path: Path, kind: str) -> Path:
    if kind == "parquet":
        queries, products = zip(*ROWS, strict=True)
        pq.write_table(pa.table({"query": queries, "product_id": products}), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"query": q, "product_id": p}) + "\n" for q, p in ROWS))
    else:
        path.write_text("query;product_id\n" + "".join(f"{q};{p}\n" for q, p in ROWS))
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_photos_are_read_beside_their_table_and_may_have_several_products(tmp_path: Path, kind: str) -> None:
    paint(tmp_path / "photos" / "red.png", RED)
    labels = read_labels(str(written(tmp_path / f"labels.{kind}", kind)), Settings())
    assert [(photo.name, photo.product_ids) for photo in labels.photos] == [
        ("red.png", ("red", "orange")),
        ("other/blue.png", ("blue",)),
    ]
    assert [photo.path for photo in labels.photos] == [
        tmp_path / "photos" / "red.png",  # where it is
        tmp_path / "other" / "blue.png",  # where it should be
    ]
    assert not labels.picks
    assert not labels.failures


def test_a_photo_finds_its_product_and_what_is_missing_is_counted(workspace: Workspace, tmp_path: Path) -> None:
    for name, colour in {"r": RED, "g": (10, 240, 5), "b": BLUE, "odd": GREEN}.items():
        paint(tmp_path / f"{name}.png", colour)
    (tmp_path / "page.png").write_text("<html>")
    table = tmp_path / "labels.csv"
    table.write_text(
        "query,product_id\nr.png,red\ng.png,green\nb.png,blue\nodd.png,blue\ngone.png,red\npage.png,red\n"
        "r.png,\nhttps://shop/x.png,red\nb.png,nothing\nr.png,red,too,many\n"
    )
    options = EvaluateOptions(labels=str(table), protocols=["photos"])
    result = workspace.evaluate("shop", model=MODEL, options=options)
    (photos,) = result.results
    assert (photos.protocol, photos.queries, photos.products) == ("photos", 4, 3)
    assert photos.metrics["r_at_1"].value == 3 / 4
    assert [(each.stage, each.image_id) for each in result.failures] == [
        ("list", "r.png"),
        ("list", "https://shop/x.png"),
        ("list", ""),
        ("read", "gone.png"),
        ("decode", "page.png"),
    ]
    (miss,) = result.worst[0]
    assert miss.query.product.product_id == "odd.png"
    assert (miss.first.product.product_id, miss.best.product.product_id) == ("green", "blue")


def test_a_photo_of_a_product_that_is_not_there_is_a_failure(workspace: Workspace, tmp_path: Path) -> None:
    paint(tmp_path / "r.png", RED)
    table = tmp_path / "labels.csv"
    table.write_text("photo,product_id\nr.png,red\nr.png,nothing\n")
    command = ["evaluate", "-d", "shop", "-m", MODEL, "-w", str(workspace.settings.root), "--labels", str(table)]
    only = ["--protocol", "photos", "--format", "json"]
    assert CliRunner().invoke(app, [*command, *only]).exit_code == 0  # one of its products is there
    table.write_text("photo,product_id\nr.png,red\npictures/green_1.png,nothing\n")
    ended = CliRunner().invoke(app, [*command, *only])
    assert ended.exit_code == SOME_FAILED
    assert "pictures/green_1.png of product nothing: its product has no images in the dataset" in ended.stderr
    assert json.loads(ended.stdout)["failures"][0]["product_id"] == "nothing"


def test_picks_are_answered_by_products(workspace: Workspace, tmp_path: Path) -> None:
    table = tmp_path / "picks.csv"
    table.write_text("product_id,similar_product_id\nred,orange\norange,red\ngreen,blue\nred,red\nred,nothing\n")
    options = EvaluateOptions(labels=str(table), stored_only=True, protocols=["picks", "photos"])
    result = workspace.evaluate("shop", model=MODEL, options=options)
    (picks,) = result.results
    assert (picks.protocol, picks.queries) == ("picks", 3)
    assert picks.metrics["r_at_1"].value == pytest.approx(2 / 3)  # orange is greener than blue is
    assert [(each.product_id, each.reason) for each in result.failures] == [
        ("red", "nothing has no images in the dataset")
    ]
    (miss,) = result.worst[0]
    assert (miss.query.product.product_id, miss.best.product.product_id, miss.rank) == ("green", "blue", 3)


def test_a_table_of_neither_kind_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("query,answer\na,b\n")
    with pytest.raises(
        CatalogueError, match=r"must have the columns query and product_id, or .* It has: query, answer"
    ):
        read_labels(str(table), Settings())
    with pytest.raises(CatalogueError, match="there is no table"):
        read_labels(str(tmp_path / "none.csv"), Settings())
