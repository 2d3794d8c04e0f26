"""Thousands of alike pictures in a large catalogue: coded once, and found as all of them are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from image_similarity.neighbours.cells.index import CellsIndex
from image_similarity.neighbours.cells.pairs import cell_pairs
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.neighbours.row_sets import Listed
from tests.neighbours.test_cells import QUERIES, VECTORS, K, LittleCells, drawn

ALIKE, ROWS = 3000, len(VECTORS)
PLACES = np.sort(np.random.default_rng(7).permutation(ROWS)[:ALIKE])
SHOP = VECTORS.copy()
SHOP[PLACES] = VECTORS[PLACES[0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    CellsIndex.build(SHOP, folder)
    return folder


@pytest.fixture(params=[CellsIndex, LittleCells])
def kind(request: pytest.FixtureRequest) -> type[CellsIndex]:
    """Cells that are searched from few rows on, or only from many on."""
    chosen: type[CellsIndex] = request.param
    return chosen


def agreement(index: CellsIndex, vectors: np.ndarray, queries: np.ndarray, allowed: np.ndarray | None = None) -> float:
    found, truth = index.search(queries, K, allowed), ExactIndex(vectors).search(queries, K, allowed)
    assert found.rows.shape == truth.rows.shape
    assert all(len(set(rows)) == len(rows) for rows in found.rows.tolist())
    return float(np.mean([np.isin(near, rows).mean() for near, rows in zip(truth.rows, found.rows, strict=True)]))


def test_alike_rows_are_coded_once(kind: type[CellsIndex], folder: Path) -> None:
    index = kind.open(SHOP, folder)
    assert index.facts.rows == index.distinct == ROWS - ALIKE + 1


@pytest.mark.parametrize("queries", [QUERIES, SHOP[PLACES[:3]]], ids=["any photo", "the alike picture"])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.05, 0.004])
def test_as_many_of_the_nearest_are_found_as_of_distinct_pictures(
    kind: type[CellsIndex], folder: Path, queries: np.ndarray, share: float
) -> None:
    allowed = None if share == 1 else np.random.default_rng(8).random(ROWS) < share
    if allowed is not None:
        allowed[PLACES[0]] = False  # the row that was coded for all of them
    assert agreement(kind.open(SHOP, folder), SHOP, queries, allowed) > 0.97


def test_a_filter_that_only_alike_rows_pass_finds_them(kind: type[CellsIndex], folder: Path) -> None:
    index, chosen = kind.open(SHOP, folder), PLACES[1500:1700]
    expected = ExactIndex(SHOP).search(QUERIES, K, np.isin(np.arange(ROWS), chosen)).rows
    np.testing.assert_array_equal(index.search(QUERIES, K, Listed(chosen, ROWS)).rows, expected)


@pytest.mark.parametrize("k", [1, 2500, ROWS])
def test_of_equal_rows_the_first_ones_are_found(kind: type[CellsIndex], folder: Path, k: int) -> None:
    found = kind.open(SHOP, folder).search(SHOP[PLACES[:1]], k)
    assert found.rows[0, : min(k, ALIKE)].tolist() == PLACES[:k].tolist()
    assert sorted(set(found.rows[0].tolist())) == sorted(found.rows[0].tolist())
    assert found.rows.shape == (1, k)


def test_alike_rows_come_and_go_without_new_cells(kind: type[CellsIndex], folder: Path, tmp_path: Path) -> None:
    kept = np.random.default_rng(4).random(ROWS) < 0.9
    kept[PLACES[0]] = False
    more = np.concatenate([drawn(50, 5), np.repeat(drawn(1, 9), 60, axis=0), SHOP[PLACES[:5]]])
    vectors = np.concatenate([more, SHOP[kept]])
    rows = np.where(kept, len(more) + np.cumsum(kept) - 1, -1)
    updated = kind.update(folder, tmp_path, vectors, rows)
    assert updated.facts == kind.open(SHOP, folder).facts
    for index in (updated, kind.open(vectors, tmp_path)):
        assert index.distinct < len(updated.vectors) - 2000
        for queries in (QUERIES, more[:3], more[60:62], more[-2:]):
            assert agreement(index, vectors, queries) > 0.97
            assert agreement(index, vectors, queries, np.arange(len(vectors)) % 3 == 0) > 0.97
    pairs = cell_pairs(updated, K, tmp_path / "work").nearest
    alike = np.arange(50, len(more))
    np.testing.assert_array_equal(pairs.rows[alike], ExactIndex(vectors).search(vectors[alike], K).rows)


def test_all_rows_at_once_find_alike_rows_too(kind: type[CellsIndex], folder: Path, tmp_path: Path) -> None:
    pairs = cell_pairs(kind.open(SHOP, folder), K, tmp_path / "work")
    truth = ExactIndex(SHOP).search(SHOP, K)
    assert pairs.nearest.rows.shape == (ROWS, K)
    np.testing.assert_array_equal(pairs.nearest.rows[PLACES], np.tile(PLACES[:K], (ALIKE, 1)))
    np.testing.assert_allclose(pairs.nearest.scores[PLACES], truth.scores[PLACES], atol=2e-6)
    right = [np.isin(near, rows).mean() for near, rows in zip(truth.rows, pairs.nearest.rows, strict=True)]
    assert np.mean(right) > 0.96


@pytest.mark.parametrize("different", [1, 3, 40])
def test_a_catalogue_of_a_few_pictures_again_and_again(kind: type[CellsIndex], tmp_path: Path, different: int) -> None:
    vectors = drawn(different, 3)[np.random.default_rng(1).integers(0, different, 4000)]
    kind.build(vectors, tmp_path)
    index, exact = kind.open(vectors, tmp_path), ExactIndex(vectors)
    np.testing.assert_array_equal(index.search(QUERIES, K).rows, exact.search(QUERIES, K).rows)
    pairs = cell_pairs(index, K, tmp_path / "work").nearest
    np.testing.assert_array_equal(pairs.rows, exact.search(vectors, K).rows)
