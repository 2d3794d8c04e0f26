"""The approximate index: how much it finds, and that filters, additions and deletions cost no answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.neighbours.cells.codes import FACTS
from image_similarity.neighbours.cells.index import CellsIndex
from image_similarity.neighbours.cells.pairs import cell_pairs
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.neighbours.index_choice import open_or_exact
from image_similarity.neighbours.rerank import rerank, rerank_query
from image_similarity.neighbours.row_sets import Listed
from image_similarity.util.sealed_json import read_sealed, write_sealed

ROWS, DIMENSION, K = 6000, 48, 10


def drawn(count: int, seed: int) -> NDArray[np.float16]:
    """Vectors in clusters, of fewer degrees of freedom than numbers: as features of pictures are."""
    fixed, chance = np.random.default_rng(0), np.random.default_rng(seed)
    centres, spread = fixed.standard_normal((60, 12)), fixed.standard_normal((12, DIMENSION))
    vectors = np.tanh((centres[chance.integers(0, 60, count)] + 0.4 * chance.standard_normal((count, 12))) @ spread)
    scaled: NDArray[np.float16] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
    return scaled


VECTORS, QUERIES = drawn(ROWS, 1), drawn(200, 2)


class LittleCells(CellsIndex):
    scan_up_to = 100  # or some rows of these small matrices would never be looked up by cells


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    LittleCells.build(VECTORS, folder)
    return folder


def recall(index: CellsIndex, vectors: NDArray[np.float16], allowed: NDArray[np.bool_] | None = None) -> float:
    found = index.search(QUERIES, K, allowed).rows
    truth = ExactIndex(vectors).search(QUERIES, K, allowed).rows
    return float(np.mean([np.isin(near, rows).mean() for near, rows in zip(truth, found, strict=True)]))


def test_nearly_all_of_the_nearest_are_found_and_the_cells_say_how_many(folder: Path) -> None:
    index = LittleCells.open(VECTORS, folder)
    assert recall(index, VECTORS) > 0.97
    assert 0.99 < index.facts.query.recall <= 1
    assert index.facts.catalogue.probes <= index.facts.query.probes < index.facts.cells


def test_scores_are_exact_and_the_best_come_first(folder: Path) -> None:
    found = LittleCells.open(VECTORS, folder).search(QUERIES, K)
    exact = np.einsum("qd,qkd->qk", QUERIES.astype(float), VECTORS[found.rows].astype(float))
    np.testing.assert_allclose(found.scores, np.clip(exact, -1, 1), atol=2e-6)
    assert (np.diff(found.scores) <= 0).all()


def test_one_query_and_many_give_the_same(folder: Path) -> None:
    index = LittleCells.open(VECTORS, folder)
    many = index.search(QUERIES, K).rows
    np.testing.assert_array_equal(np.concatenate([index.search(query[None], K).rows for query in QUERIES]), many)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01, 0.002, 0.0])
def test_a_filter_costs_neither_rows_nor_recall(folder: Path, share: float) -> None:
    allowed = np.random.default_rng(3).random(ROWS) < share
    index = LittleCells.open(VECTORS, folder)
    found = index.search(QUERIES, K, allowed)
    assert found.rows.shape == (len(QUERIES), min(K, allowed.sum()))
    assert allowed[found.rows].all()
    assert not share or recall(index, VECTORS, allowed) > 0.97


@pytest.mark.parametrize("count", [5, 90, 1500])
def test_a_list_of_rows_and_their_mask_find_the_same(folder: Path, tmp_path: Path, count: int) -> None:
    chosen = np.random.default_rng(6).permutation(ROWS - 1)[:count]  # in no order
    gone = np.arange(ROWS) - 1
    moved = LittleCells.update(folder, tmp_path, VECTORS[1:], gone)
    for index, total in ((LittleCells.open(VECTORS, folder), ROWS), (moved, ROWS - 1)):
        rows = Listed(chosen, total)
        found = index.search(QUERIES, K, rows)
        np.testing.assert_array_equal(found.rows, index.search(QUERIES, K, rows.mask()).rows)
        assert np.isin(found.rows, chosen).all()


def test_reranking_one_query_finds_what_reranking_all_candidates_finds() -> None:
    rows = np.random.default_rng(7).permutation(ROWS)[:96]
    for query in QUERIES.astype(np.float32):
        exact = VECTORS[rows].astype(np.float32) @ query
        order = np.argsort(-exact)
        right = np.sort(rerank(VECTORS, query[None], rows[None], K)[0])
        found = rerank_query(VECTORS, query, (rows[order], exact[order] - 0.25), K)  # all have the same error
        np.testing.assert_array_equal(np.sort(found), right)


def test_a_filter_that_only_rows_far_away_pass(folder: Path) -> None:
    nearness = ExactIndex(VECTORS).search(QUERIES[:1], ROWS).rows[0]
    allowed = np.isin(np.arange(ROWS), nearness[-1500:])
    found = LittleCells.open(VECTORS, folder).search(QUERIES[:1], K, allowed)
    assert allowed[found.rows].all()
    assert len(set(found.rows[0].tolist())) == K


@pytest.mark.parametrize("k", [0, 1, 700, ROWS, ROWS + 1])
def test_as_many_rows_as_requested_or_all(folder: Path, k: int) -> None:
    found = LittleCells.open(VECTORS, folder).search(QUERIES[:3], k)
    assert found.rows.shape == (3, min(k, ROWS))
    assert all(len(set(rows)) == min(k, ROWS) for rows in found.rows.tolist())


def test_rows_that_come_and_go_need_no_new_cells(folder: Path, tmp_path: Path) -> None:
    kept = np.random.default_rng(4).random(ROWS) < 0.95
    added = drawn(200, 5)
    vectors = np.concatenate([added, VECTORS[kept]])  # every row has another number now
    rows = np.where(kept, len(added) + np.cumsum(kept) - 1, -1)
    index = LittleCells.update(folder, tmp_path, vectors, rows)
    assert index.facts == LittleCells.open(VECTORS, folder).facts  # the same cells, not made afresh
    for same in (index, LittleCells.open(vectors, tmp_path)):
        assert recall(same, vectors) > 0.97
        assert recall(same, vectors, np.arange(len(vectors)) % 3 == 0) > 0.97
        np.testing.assert_array_equal(same.search(added[:50], 1).rows[:, 0], np.arange(50))


def test_a_second_update_goes_on_from_the_first(folder: Path, tmp_path: Path) -> None:
    gone = np.arange(ROWS) - 1  # row 0 goes: the others move up
    LittleCells.update(folder, tmp_path / "first", VECTORS[1:], gone)
    index = LittleCells.update(tmp_path / "first", tmp_path / "second", VECTORS[2:], gone[: ROWS - 1])
    assert recall(index, VECTORS[2:]) > 0.97


def test_when_much_has_changed_the_cells_are_made_afresh(folder: Path, tmp_path: Path) -> None:
    half = VECTORS[: ROWS // 2]
    rows = np.where(np.arange(ROWS) < len(half), np.arange(ROWS), -1)
    assert LittleCells.update(folder, tmp_path, half, rows).facts.rows == len(half)


def test_the_same_rows_make_the_same_cells(folder: Path, tmp_path: Path) -> None:
    LittleCells.build(VECTORS, tmp_path)
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_of_all_rows_nearly_all_of_the_nearest_are_found_and_it_is_known_how_many(folder: Path, tmp_path: Path) -> None:
    pairs = cell_pairs(LittleCells.open(VECTORS, folder), K, tmp_path / "work")
    expected = ExactIndex(VECTORS).search(VECTORS, K)
    assert pairs.effort.recall >= 0.96
    right = [np.isin(one, two).mean() for one, two in zip(pairs.nearest.rows, expected.rows, strict=True)]
    assert np.mean(right) == pytest.approx(pairs.effort.recall, abs=0.02)


def test_scores_of_all_rows_are_exact_and_the_best_come_first(folder: Path, tmp_path: Path) -> None:
    found = cell_pairs(LittleCells.open(VECTORS, folder), K, tmp_path / "work").nearest
    singles = VECTORS.astype(np.float32)
    scores = np.einsum("nd,nkd->nk", singles, singles[found.rows]).clip(-1, 1)
    np.testing.assert_allclose(found.scores, scores, atol=2e-6)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert (np.diff(np.sort(found.rows, axis=1), axis=1) > 0).all()  # no row twice


def test_rows_that_have_gone_are_nobodys_neighbours(folder: Path, tmp_path: Path) -> None:
    kept = np.flatnonzero(np.random.default_rng(4).random(ROWS) < 0.95)
    rows = np.full(ROWS, -1)
    rows[kept] = np.arange(len(kept))
    updated = LittleCells.update(folder, tmp_path, VECTORS[kept], rows)
    found = cell_pairs(updated, K, tmp_path / "work").nearest
    assert found.rows.shape == (len(kept), K)
    assert found.rows.max() < len(kept)
    assert np.mean(found.rows[:, 0] == np.arange(len(kept))) > 0.99


@pytest.mark.parametrize(("exact_up_to", "kind"), [(ROWS, ExactIndex), (ROWS - 1, CellsIndex)])
def test_cells_that_find_too_few_do_not_answer_where_every_row_can_be_compared(
    folder: Path,
    tmp_path: Path,
    exact_up_to: int,
    kind: type[ExactIndex | CellsIndex],
) -> None:
    shutil.copytree(folder, tmp_path / "cells")
    assert isinstance(open_or_exact(CellsIndex, VECTORS, tmp_path / "cells", exact_up_to), CellsIndex)
    facts = read_sealed(tmp_path / "cells" / FACTS)
    facts["query"]["recall"] = 0.97
    write_sealed(tmp_path / "cells" / FACTS, facts)
    assert isinstance(open_or_exact(CellsIndex, VECTORS, tmp_path / "cells", exact_up_to), kind)


@pytest.mark.parametrize("k", [1, 700, ROWS + 1])
def test_all_rows_get_as_many_neighbours_as_asked_for_or_all(folder: Path, tmp_path: Path, k: int) -> None:
    few = VECTORS[:900]
    LittleCells.build(few, tmp_path)
    found = cell_pairs(LittleCells.open(few, tmp_path), k, tmp_path / "work").nearest
    assert found.rows.shape == (900, min(k, 900))
    assert all(len(set(rows)) == min(k, 900) for rows in found.rows.tolist())


def test_all_rows_go_on_after_the_last_whole_block(folder: Path, tmp_path: Path) -> None:
    index, progress = LittleCells.open(VECTORS, folder), list[int]()

    def stop_at_the_third(stage: str, done: int, total: int | None = None) -> None:
        progress.append(done)
        if len(progress) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cell_pairs(index, K, tmp_path / "work", stop_at_the_third, block=2500)
    found = cell_pairs(index, K, tmp_path / "work", stop_at_the_third, block=2500)
    assert progress[3] == progress[2] > progress[1] > progress[0] == 0
    assert progress[-1] == ROWS
    np.testing.assert_array_equal(found.nearest.rows, cell_pairs(index, K, tmp_path / "whole").nearest.rows)
