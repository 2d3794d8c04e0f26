"""Every product's most similar products, the nearest of all images found beforehand: the same as one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from image_similarity.fitting.recommendations import prepared_gallery, recall_of, recommendations
from image_similarity.images.views import ONE_VIEW
from image_similarity.index.build import fresh_index
from image_similarity.index.stored_index import StoredIndex
from image_similarity.models.recipe import Recipe
from image_similarity.neighbours.cells.index import CellsIndex
from image_similarity.neighbours.index_choice import IndexChoice
from image_similarity.ranking.aggregate import rank_products
from image_similarity.ranking.gallery import Gallery
from image_similarity.types import ProductMatch, no_progress
from tests.neighbours.test_cells import LittleCells
from tests.support.stock import KEY, Picture, open_store, stock

PRODUCTS, IMAGES = 400, 3
Answers = dict[str, list[ProductMatch]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    contents = np.random.default_rng(1).integers(0, 900, PRODUCTS * IMAGES)  # many images are twins
    stock(root, [Picture(f"{i:05}.jpg", f"p{i // IMAGES:04}", int(content)) for i, content in enumerate(contents)])
    return root


def opened(root: Path, folder: Path, choice: IndexChoice | None = None) -> StoredIndex:
    with open_store(root) as database:
        return fresh_index(database, folder, Recipe.of(KEY), ONE_VIEW, choice or IndexChoice())


def answers(stored: StoredIndex, work: Path, aggregate: str = "best", **sizes: int) -> Answers:
    with prepared_gallery(stored, aggregate, work, no_progress, **sizes) as gallery:
        return dict(recommendations(gallery, 5, aggregate, no_progress))


def one_by_one(stored: StoredIndex, aggregate: str = "best") -> Answers:
    gallery = Gallery.of(stored)
    return {
        name: rank_products(gallery, [gallery.query(number)], 5, aggregate)[0]
        for number, name in enumerate(gallery.products)
    }


@pytest.mark.parametrize("aggregate", ["best", "mean", "votes"])
def test_all_at_once_is_one_by_one(root: Path, tmp_path: Path, aggregate: str) -> None:
    stored = opened(root, tmp_path / "index")
    together, singly = answers(stored, tmp_path / "pairs", aggregate, pairs_from=1), one_by_one(stored, aggregate)
    assert not (tmp_path / "pairs").exists()
    same(together, singly)


def same(together: Answers, singly: Answers) -> None:
    assert list(together) == list(singly)
    for name, matches in together.items():
        # A sum of products may be taken in another order for many at once than for one: the sixth decimal is in doubt.
        assert [replace(match, score=0.0) for match in matches] == [replace(match, score=0.0) for match in singly[name]]
        assert [match.score for match in matches] == pytest.approx([match.score for match in singly[name]], abs=1.5e-6)


def test_work_on_all_pairs_stays_where_it_was_when_broken_off(root: Path, tmp_path: Path) -> None:
    stored = opened(root, tmp_path / "index")
    with (
        pytest.raises(KeyboardInterrupt),
        prepared_gallery(stored, "best", tmp_path / "pairs", no_progress, pairs_from=1),
    ):
        raise KeyboardInterrupt
    assert list((tmp_path / "pairs").glob("*.npy"))
    same(answers(stored, tmp_path / "pairs", pairs_from=1), one_by_one(stored))


def test_a_large_catalogue_is_compared_by_cells_and_says_how_much_it_finds(root: Path, tmp_path: Path) -> None:
    stored = opened(root, tmp_path / "index", IndexChoice(LittleCells, 1000))
    assert isinstance(stored.index, CellsIndex)
    found = answers(stored, tmp_path / "pairs", all_pairs_up_to=1000)
    exact = one_by_one(opened(root, tmp_path / "exact"))
    same = [match.product_id in {m.product_id for m in exact[name]} for name, line in found.items() for match in line]
    assert all(len(line) == 5 for line in found.values())
    assert np.mean(same) > 0.8  # vectors by chance have no cells to speak of
    assert 0 < (recall_of(Gallery.of(stored)) or 0) <= 1


def test_all_products_at_once_are_compared_exactly_where_a_search_already_looks_into_cells(
    root: Path, tmp_path: Path
) -> None:
    stored = opened(root, tmp_path / "index", IndexChoice(CellsIndex, 1000))
    with prepared_gallery(stored, "best", tmp_path / "pairs", no_progress, pairs_from=1) as gallery:
        assert recall_of(gallery) is None
        found = dict(recommendations(gallery, 5, "best", no_progress))
    same(found, one_by_one(opened(root, tmp_path / "exact")))
    assert recall_of(Gallery.of(stored)) is not None


def test_an_index_of_every_row_finds_all_and_says_so(root: Path, tmp_path: Path) -> None:
    assert recall_of(Gallery.of(opened(root, tmp_path / "index"))) is None
