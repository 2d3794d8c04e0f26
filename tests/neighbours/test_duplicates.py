"""Thousands of products with the same picture: compared once, with the same result as comparing each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from image_similarity.dataset import Dataset
from image_similarity.images.views import ONE_VIEW
from image_similarity.neighbours.allpairs.exact import all_pairs
from image_similarity.neighbours.duplicates import Duplicates, deduplicated_pairs
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.ranking.aggregate import FIRST_DEPTH, rank_products
from image_similarity.ranking.gallery import Gallery, GalleryQuery
from image_similarity.store.codec import encode
from image_similarity.store.database import Database
from image_similarity.store.features import FeatureRow, FeatureStore
from image_similarity.types import CatalogueImage, Features, Neighbours, Progress, RowSet, no_progress
from tests.conftest import MeanColour

Vectors = NDArray[np.float16]


class Watched:
    """An exact index that remembers the largest ``k`` of its searches."""

    def __init__(self, vectors: Vectors) -> None:
        self.exact, self.most = ExactIndex(vectors), 0

    def search(
        self, queries: NDArray[np.floating], k: int, allowed: RowSet | NDArray[np.bool_] | None = None
    ) -> Neighbours:
        self.most = max(self.most, k)
        return self.exact.search(queries, k, allowed)


def unit(count: int, dimension: int = 16) -> Vectors:
    drawn = np.random.default_rng(5).standard_normal((count, dimension))
    scaled: Vectors = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)
    return scaled


def gallery(vectors: Vectors, pictures: int = 1) -> tuple[Gallery, Watched]:
    images = [f"i{row:05}" for row in range(len(vectors))]
    products = [f"p{row // pictures:05}" for row in range(len(vectors))]
    index = Watched(vectors)
    return Gallery(Features(images, products, ["000"] * len(vectors), vectors), index), index


def test_a_thousand_products_with_one_picture_are_ranked_without_looking_at_all_of_them() -> None:
    shop, index = gallery(np.repeat(unit(1), 1000, axis=0))
    answers = rank_products(shop, [shop.query(0), shop.query(999)], 3, "best")
    assert [[match.product_id for match in answer] for answer in answers] == [
        ["p00001", "p00002", "p00003"],
        ["p00000", "p00001", "p00002"],
    ]
    assert index.most == FIRST_DEPTH


def test_a_customers_photo_of_the_placeholder_is_answered_without_looking_at_all_of_them() -> None:
    vectors = np.concatenate([unit(50), np.repeat(unit(51)[-1:], 900, axis=0)])
    shop, index = gallery(vectors)
    (answer,) = rank_products(shop, [GalleryQuery(["photo"], vectors[-1:])], 2, "best")
    assert [match.product_id for match in answer] == ["p00050", "p00051"]
    assert index.most == FIRST_DEPTH


def test_a_filter_that_nothing_passes_has_no_answers() -> None:
    shop, _ = gallery(np.repeat(unit(1), 9, axis=0))
    assert rank_products(shop, [shop.query(0)], 3, "best", np.zeros(9, bool)) == [[]]


@given(st.lists(st.integers(0, 4), min_size=70, max_size=160), st.integers(1, 12), st.integers(1, 3))
def test_ties_fall_to_the_smaller_product_however_many_pictures_ask(kinds: list[int], number: int, own: int) -> None:
    vectors = unit(5)[kinds]
    shop, _ = gallery(vectors, pictures=own)
    queries = [shop.query(product) for product in range(len(shop.products))]
    for query, answer in zip(queries, rank_products(shop, queries, number, "best"), strict=True):
        scores = np.rint(ExactIndex(vectors).search(query.vectors, len(vectors)).scores * 1e6)
        rows = ExactIndex(vectors).search(query.vectors, len(vectors)).rows
        best: dict[int, float] = {}
        for score, row in zip(scores.ravel(), rows.ravel(), strict=True):
            product = int(shop.row_product[row])
            if product != query.own:
                best[product] = max(best.get(product, -2e6), float(score))
        expected = sorted(best, key=lambda product: (-best[product], product))[:number]
        assert [match.product_id for match in answer] == [shop.products[product] for product in expected]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=80), st.integers(1, 30))
def test_equal_vectors_are_compared_once_and_answer_as_if_each_were(kinds: list[int], k: int) -> None:
    vectors = unit(21)[kinds]
    duplicates = Duplicates.find(vectors)
    different = vectors[duplicates.first_rows]
    assert len(different) == len(set(kinds))
    found = duplicates.nearest_rows(ExactIndex(different).search(vectors, k), min(k, len(vectors)))
    expected = ExactIndex(vectors).search(vectors, k)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_the_nearest_of_all_rows_are_found_among_the_different_vectors(tmp_path: Path) -> None:
    vectors = unit(40)[np.random.default_rng(2).integers(0, 40, 3000)]
    compared = []

    def pairs(different: Vectors, k: int, folder: Path, progress: Progress) -> Neighbours:
        compared.append(len(different))
        return all_pairs(different, k, folder, progress)

    found = deduplicated_pairs(vectors, 50, tmp_path / "work", pairs, no_progress)
    expected = ExactIndex(vectors).search(vectors, 50)
    assert compared == [40]
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)


def test_a_few_duplicates_are_not_worth_a_copy(tmp_path: Path) -> None:
    vectors = np.concatenate([unit(500), unit(3)])
    found = deduplicated_pairs(vectors, 4, tmp_path / "work", all_pairs, no_progress)
    np.testing.assert_array_equal(found.rows, ExactIndex(vectors).search(vectors, 4).rows)
    assert not (tmp_path / "work" / "different").exists()


@pytest.mark.parametrize("seen_before", [False, True], ids=["new", "under another model"])
def test_one_more_alike_picture_is_as_soon_looked_up_as_the_first(tmp_path: Path, seen_before: bool) -> None:
    vector = encode(np.array([1, 0, 0]))

    def steps(store: FeatureStore, database: Database, number: int) -> int:
        """How many thousands of steps SQLite takes for one more picture."""
        taken = 0

        def count() -> int:
            nonlocal taken
            taken += 1
            return 0

        database.connection.set_progress_handler(count, 100)
        assert store.missing([(CatalogueImage(f"i{number}", f"p{number}", "/x"), b"same")], "k2@1", ONE_VIEW) == [False]
        database.connection.set_progress_handler(None, 0)
        return taken

    with Database(tmp_path / "features.db", Dataset.named("shop"), create=True) as database:
        store = FeatureStore(database)
        for key in ("k1@1", "k2@1"):
            store.add_model(replace(MeanColour.spec, key=key))
        if seen_before:  # rows without features of the second model, in front of the one that has them
            store.add((row(number, vector) for number in range(1000)), "k1@1")
        store.add([row(5000, vector)], "k2@1")
        first = steps(store, database, 5001)
        few = steps(store, database, 5002)
        store.add((row(number, vector) for number in range(6000, 8000)), "k2@1")
        many = steps(store, database, 5003)
    assert many <= few + 2 <= first + 4


def row(number: int, vector: bytes) -> FeatureRow:
    return FeatureRow(CatalogueImage(f"i{number}", f"p{number}", "/x"), "000", b"same", False, vector)
