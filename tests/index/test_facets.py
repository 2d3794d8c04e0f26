"""Facets: the values and ranges that a catalogue can be filtered by."""

from __future__ import annotations

from pathlib import Path

from image_similarity.images.views import ONE_VIEW
from image_similarity.index.build import fresh_index
from image_similarity.index.facets import Facet, facets_of
from image_similarity.index.stored_index import StoredIndex
from image_similarity.models.recipe import Recipe
from tests.support.stock import KEY, Picture, open_store, stock


def index_of(root: Path, attributes: dict[str, dict[str, str]]) -> StoredIndex:
    """Two images of each product."""
    pictures = [Picture(f"{product}-{number}.jpg", product, number) for product in attributes for number in range(2)]
    stock(root, pictures, attributes)
    with open_store(root) as database:
        return fresh_index(database, root / "index", Recipe.of(KEY), ONE_VIEW)


def test_texts_have_their_products_counted_and_numbers_their_bounds(tmp_path: Path) -> None:
    index = index_of(
        tmp_path,
        {
            "a": {"brand": "Kip", "price": "3.5"},
            "b": {"brand": "Kip", "price": "12"},
            "c": {"brand": "Arn", "price": "7"},
            "d": {},
        },
    )
    assert facets_of(index) == [Facet("brand", [("Kip", 2), ("Arn", 1)]), Facet("price", [], (3.5, 12.0))]


def test_a_text_that_no_two_products_share_is_no_choice(tmp_path: Path) -> None:
    index = index_of(tmp_path, {f"p{n:02}": {"sku": f"s{n}", "colour": "red"} for n in range(6)})
    assert [facet.name for facet in facets_of(index, most=5)] == ["colour"]
    assert [len(facet.values) for facet in facets_of(index, most=6)] == [1, 6]


def test_prices_with_a_currency_have_bounds_and_one_that_is_none_does_not_change_that(tmp_path: Path) -> None:
    index = index_of(
        tmp_path,
        {
            "a": {"price": "3,50 EUR", "size": "S"},
            "b": {"price": "1.200,00 EUR", "size": "M"},
            "c": {"price": "n/a", "size": "42"},
        },
    )
    assert facets_of(index) == [Facet("price", [], (3.5, 1200.0)), Facet("size", [("42", 1), ("M", 1), ("S", 1)])]
