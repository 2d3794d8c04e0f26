"""The listing of an extract, and the table that it writes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from image_similarity.catalogue import open_source
from image_similarity.catalogue.listing import PAGE, Listing
from image_similarity.errors import OutputError
from image_similarity.settings import Settings
from image_similarity.types import CatalogueImage, Product

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
IDS = st.text("abé7-", min_size=1, max_size=4)
NAMES = st.sampled_from(["colour", "Shot", "price in €", "note;", 'q"'])
ATTRIBUTES = st.dictionaries(NAMES, TEXT.filter(bool), max_size=3)


@given(
    st.dictionaries(IDS, st.tuples(TEXT, TEXT, ATTRIBUTES), max_size=4),
    st.lists(st.tuples(IDS, IDS), max_size=6, unique_by=lambda pair: pair[1]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_what_the_table_source_reads(
    products: dict[str, tuple[str, str, dict[str, str]]], images: list[tuple[str, str]]
) -> None:
    with TemporaryDirectory() as name, Listing() as listing:
        for product_id, (title, description, attributes) in products.items():
            listing.add_product(Product(product_id, title, description, attributes))
        for product_id, image_id in images:
            (Path(name) / f"{image_id}.jpg").touch()
            listing.add_image(CatalogueImage(f"{image_id}.jpg", product_id, f"http://x/{image_id}"))
        for position, image in listing.images():
            listing.set_file(position, image.image_id)
        listing.write(Path(name) / "listing.csv")
        source = open_source(Path(name) / "listing.csv", settings=Settings())
        read = list(source)
        assert [(i.product_id, i.image_id, i.location) for i in read] == [
            (product_id, f"{image_id}.jpg", str(Path(name) / f"{image_id}.jpg")) for product_id, image_id in images
        ]
        for product in source.products():
            title, description, attributes = products.get(product.product_id, ("", "", {}))
            assert (product.title, product.description) == (title, description)
            assert {key: value for key, value in product.attributes.items() if key != "address"} == attributes


def test_an_id_is_taken_once_and_the_one_who_has_it_is_told() -> None:
    first = CatalogueImage("a.jpg", "7", "http://x/1")
    with Listing() as listing:
        assert listing.add_image(first) is None
        assert listing.add_image(CatalogueImage("a.jpg", "8", "http://x/2")) == first
        assert len(listing) == 1


def test_images_keep_their_order_over_pages_while_rows_change() -> None:
    ids = [f"{number}.jpg" for number in range(2 * PAGE + 1)]
    with Listing() as listing:
        for image_id in ids:
            listing.add_image(CatalogueImage(image_id, "7", "http://x"))
        walked = []
        for position, image in listing.images():
            listing.set_file(position, image.image_id)
            walked.append(image.image_id)
    assert walked == ids


def test_only_images_that_were_found_are_written_and_names_of_columns_stay_single(tmp_path: Path) -> None:
    with Listing() as listing:
        listing.add_product(Product("7", "Ball", "", {"colour": "product's", "brand": "K", "Title": "no"}))
        listing.add_image(CatalogueImage("a.jpg", "7", "http://x/a", {"colour": "image's", "address": "no"}))
        listing.add_image(CatalogueImage("b.jpg", "7", "/local/b.jpg", {}))
        listing.add_image(CatalogueImage("gone.jpg", "7", "http://x/g", {}))
        for position, image in listing.images():
            if image.image_id != "gone.jpg":
                listing.set_file(position, image.image_id)
        listing.write(tmp_path / "listing.csv")
    assert (tmp_path / "listing.csv").read_bytes().decode().split("\r\n") == [
        "product_id,image_id,image,title,description,address,colour,brand",
        "7,a.jpg,a.jpg,Ball,,http://x/a,image's,K",
        "7,b.jpg,b.jpg,Ball,,,product's,K",
        "",
    ]


def test_a_listing_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with Listing() as listing, pytest.raises(OutputError, match=r"listing\.csv"):
        listing.write(tmp_path / "file" / "listing.csv")
    assert (tmp_path / "file").read_text() == "x"
