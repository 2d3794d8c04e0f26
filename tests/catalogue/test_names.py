"""Which ids are safe as paths, and what an address is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, strategies as st

from image_similarity.catalogue.names import is_image_name, name_for_address, product_of, unsafe_reason

FOLDER = Path("/somewhere/dataset")


@given(st.text(max_size=30) | st.text("./\\a", max_size=12))
@example("..")
@example("a/../../b")
@example("/etc/passwd")
@example("C:\\x.jpg")
@example("a\0b")
@example("listing.csv")
@example("a//b")
def test_a_safe_id_stays_in_its_folder_and_is_a_visible_file(image_id: str) -> None:
    if unsafe_reason(image_id) is not None:
        return
    path = FOLDER / image_id
    assert path.is_relative_to(FOLDER)
    assert path != FOLDER
    assert ".." not in path.parts
    assert str(path.relative_to(FOLDER)) == image_id
    assert not any(part.startswith(".") for part in path.relative_to(FOLDER).parts)
    str(path).encode("utf-8")


@pytest.mark.parametrize(
    "image_id", ["8156287_476862.jpg", "ball/1.jpg", "été 7.png", "a+b&c", "sku:1.jpg", "滑冰_1.jpg"]
)
def test_ordinary_ids_are_safe(image_id: str) -> None:
    assert unsafe_reason(image_id) is None


@pytest.mark.parametrize(
    "image_id",
    [
        *(
            "",
            ".",
            "..",
            "../x.jpg",
            "a/../x.jpg",
            "/x.jpg",
            "x/",
            ".hidden.jpg",
            "a/.x",
            "a\\b.jpg",
            "C:x.jpg",
            "a\nb",
        ),
        *(
            "\ud800.jpg",
            "x" * 201,
            "é" * 101,
            "a/" * 600 + "b",
            "listing.csv",
            "Images.CSV",
            "products.parquet",
            "a/ /b",
        ),
    ],
)
def test_ids_that_could_do_harm_are_not(image_id: str) -> None:
    assert unsafe_reason(image_id)


@given(st.text(max_size=40), st.text(st.characters(codec="utf-8"), max_size=40))
@example("https://x/..", "..")
@example("https://x/" + "a" * 300 + ".png", "b" * 300)
def test_a_made_name_is_always_safe_and_an_image(address: str, product_id: str) -> None:
    try:
        name = name_for_address("https://shop.example/" + address, product_id)
    except UnicodeEncodeError:
        return  # the sources never let half a surrogate pair through
    assert unsafe_reason(name) is None
    assert is_image_name(name)
    assert "/" not in name


@pytest.mark.parametrize("product_id", ["7", "24-mb01", "AB.7"])
def test_a_made_name_keeps_the_first_versions_rule(product_id: str) -> None:
    name = name_for_address("https://shop.example/a/red ball_2.png?w=80", product_id)
    assert product_of(name) == product_id
    assert name.startswith(f"{product_id}_red-ball-2-")
    assert name.endswith(".png")


@given(st.tuples(st.text("ab_/", max_size=5), st.text("ab_/", max_size=5)))
def test_different_products_never_share_a_made_name(products: tuple[str, str]) -> None:
    names = {name_for_address("https://shop.example/a.jpg", product) for product in products}
    assert len(names) == len(set(products))
