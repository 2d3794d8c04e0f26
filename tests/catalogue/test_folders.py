"""Folders as catalogues, and how a location is recognised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_similarity.catalogue import open_source
from image_similarity.catalogue.sources import failures_of, product_failures_of
from image_similarity.errors import CatalogueError, UsageError
from image_similarity.settings import Settings
from image_similarity.types import CatalogueSource


def write(folder: Path, *names: str, data: bytes = b"x") -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def opened(location: Path | str, products: Path | None = None) -> CatalogueSource:
    return open_source(location, products=products, settings=Settings())


def pairs(source: CatalogueSource) -> list[tuple[str, str]]:
    return [(image.image_id, image.product_id) for image in source]


def test_a_flat_folder_names_products_up_to_the_first_underscore(tmp_path: Path) -> None:
    write(tmp_path, "8156287_476862.jpg", "8156287_1_2.PNG", "bag.webp", "été-1_x.avif", "24-mb01_blue_0.jpeg")
    assert pairs(opened(tmp_path)) == [
        ("24-mb01_blue_0.jpeg", "24-mb01"),
        ("8156287_1_2.PNG", "8156287"),
        ("8156287_476862.jpg", "8156287"),
        ("bag.webp", "bag"),
        ("été-1_x.avif", "été-1"),
    ]


def test_hidden_files_and_other_files_are_no_images(tmp_path: Path) -> None:
    write(tmp_path, ".a_1.jpg", ".a_1.jpg.0f.part", "notes.txt", "Thumbs.db", "jpg", "a_1.gif")
    source = opened(tmp_path)
    assert pairs(source) == [("a_1.gif", "a")]
    assert failures_of(source) == []


def test_locations_lead_to_the_files(tmp_path: Path) -> None:
    write(tmp_path, "a_1.jpg", data=b"here")
    (image,) = opened(str(tmp_path))
    assert Path(image.location).read_bytes() == b"here"
    assert not image.is_remote


def test_a_file_without_a_product_is_a_failure_each_time(tmp_path: Path) -> None:
    write(tmp_path, "_1.jpg", "a_1.jpg")
    source = opened(tmp_path)
    for _ in range(2):
        assert pairs(source) == [("a_1.jpg", "a")]
        assert [(f.stage, f.image_id) for f in failures_of(source)] == [("list", "_1.jpg")]


def test_a_folder_among_images_is_reported_and_not_dropped_in_silence(tmp_path: Path) -> None:
    write(tmp_path, "a_1.jpg", "more/b_1.jpg")
    source = opened(tmp_path)
    assert pairs(source) == [("a_1.jpg", "a")]
    assert [f.image_id for f in failures_of(source)] == ["more"]


def test_a_name_that_is_not_text_is_a_failure_that_can_be_printed(tmp_path: Path) -> None:
    write(tmp_path, "a_1.jpg")
    try:
        (tmp_path / os.fsdecode(b"b\xff_1.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes text only")
    source = opened(tmp_path)
    assert pairs(source) == [("a_1.jpg", "a")]
    (failure,) = failures_of(source)
    assert failure.image_id.encode() == rb"b\udcff_1.jpg"


def test_a_folder_of_folders_has_one_product_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "sticks/b_2.jpg", "sticks/a.jpg", "ball_7/1.jpg", ".git/x.jpg", "empty/readme.txt")
    source = opened(tmp_path)
    assert pairs(source) == [("ball_7/1.jpg", "ball_7"), ("sticks/a.jpg", "sticks"), ("sticks/b_2.jpg", "sticks")]
    assert failures_of(source) == []


def test_a_folder_too_deep_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "ball/1.jpg", "ball/back/2.jpg")
    source = opened(tmp_path)
    assert pairs(source) == [("ball/1.jpg", "ball")]
    assert [f.image_id for f in failures_of(source)] == ["ball/back"]


def test_a_folder_with_a_table_is_read_by_the_table(tmp_path: Path) -> None:
    write(tmp_path, "images/x.jpg", "y.jpg")
    (tmp_path / "images.csv").write_text("product_id,image,colour\n7,x.jpg,blue\n8,y.jpg,\n")
    (tmp_path / "products.csv").write_text("product_id,title,price\n7,Ball,3\n")
    source = opened(tmp_path)
    assert pairs(source) == [("x.jpg", "7"), ("y.jpg", "8")]
    assert [image.location for image in source] == [str(tmp_path / "images/x.jpg"), str(tmp_path / "y.jpg")]
    assert [(p.product_id, p.title, p.attributes) for p in source.products()] == [("7", "Ball", {"price": "3"})]


def test_an_extracted_folder_is_read_by_its_listing(tmp_path: Path) -> None:
    write(tmp_path, "7_1.jpg", "7_2.jpg")
    (tmp_path / "listing.csv").write_text("product_id,image_id,image,title\n7,7_1.jpg,7_1.jpg,Ball\n")
    source = opened(tmp_path)
    assert pairs(source) == [("7_1.jpg", "7")]
    assert [p.title for p in source.products()] == ["Ball"]


def test_folders_take_titles_from_a_product_table(tmp_path: Path) -> None:
    write(tmp_path / "flat", "7_1.jpg")
    write(tmp_path / "deep", "7/1.jpg")
    (tmp_path / "titles.jsonl").write_text('{"id": 7, "name": "Ball"}\n')
    for folder in ("flat", "deep"):
        source = opened(tmp_path / folder, tmp_path / "titles.jsonl")
        assert product_failures_of(source) == []
        assert [(p.product_id, p.title) for p in source.products()] == [("7", "Ball")]
        assert list(opened(tmp_path / folder).products()) == []


@pytest.mark.parametrize("there", ["nothing", "empty", "texts"])
def test_what_is_no_catalogue_is_refused_by_name(tmp_path: Path, there: str) -> None:
    folder = tmp_path / there
    if there != "nothing":
        folder.mkdir()
    if there == "texts":
        write(folder, "a.txt")
    with pytest.raises(CatalogueError, match=there):
        opened(folder)


def test_another_kind_of_address_is_a_wrong_request() -> None:
    with pytest.raises(UsageError, match="ftp"):
        opened("ftp://example.org/catalogue.csv")
