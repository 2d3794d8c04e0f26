"""The nearest of every row: the judge is the index that computes every score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity.neighbours.allpairs.exact import all_pairs
from image_similarity.neighbours.allpairs.tiles import SIDE, Tiles
from image_similarity.neighbours.exact import ExactIndex
from image_similarity.types import Neighbours

ROWS = 2 * SIDE + 300  # three tiles, the last one not full


def unit(count: int, dimension: int = 24, seed: int = 1) -> NDArray[np.float16]:
    drawn = np.random.default_rng(seed).standard_normal((count, dimension))
    scaled: NDArray[np.float16] = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)
    return scaled


def same(found: Neighbours, expected: Neighbours) -> None:
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)


def test_the_rows_are_those_of_the_exact_index(tmp_path: Path) -> None:
    vectors = unit(ROWS)
    same(all_pairs(vectors, 20, tmp_path / "work", unit=1), ExactIndex(vectors).search(vectors, 20))


def test_a_memory_map_is_read_as_it_lies(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", unit(SIDE + 5))
    vectors = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    same(all_pairs(vectors, 4, tmp_path / "work", unit=1), ExactIndex(vectors).search(vectors, 4))


def test_hundreds_of_duplicates_come_in_the_order_of_their_rows(tmp_path: Path) -> None:
    vectors = np.repeat(np.eye(8, dtype=np.float16)[[0, 1, 0, 2]], [900, 3, 900, 300], axis=0)
    same(all_pairs(vectors, 30, tmp_path / "work", unit=1), ExactIndex(vectors).search(vectors, 30))


def test_rows_whose_sample_misled_are_searched_for_by_themselves(tmp_path: Path) -> None:
    vectors = unit(7 * SIDE)  # two tiles are drawn as the sample: for some rows it holds too many of the nearest
    found, expected = all_pairs(vectors, 20, tmp_path / "work"), ExactIndex(vectors).search(vectors, 20)
    np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)
    singles = vectors.astype(np.float32)  # of so many rows some are as near as makes no difference
    scores = np.einsum("nd,nkd->nk", singles, singles[found.rows]).clip(-1, 1)
    np.testing.assert_allclose(scores, expected.scores, atol=2e-6)


@pytest.mark.parametrize("rows", [1, 7, SIDE])
def test_all_rows_where_there_are_fewer_than_wanted(tmp_path: Path, rows: int) -> None:
    vectors = unit(rows)
    found = all_pairs(vectors, 2000, tmp_path / "work")
    assert (np.sort(found.rows, axis=1) == np.arange(rows)).all()
    np.testing.assert_allclose(found.scores, ExactIndex(vectors).search(vectors, rows).scores, atol=2e-6)


def test_a_score_is_off_by_no_more_than_the_tiles_say() -> None:
    vectors = np.concatenate([unit(SIDE, 512, seed=2), np.abs(unit(SIDE, 512, seed=3))])
    tiles = Tiles(vectors)
    exact = vectors[:SIDE].astype(float) @ vectors[SIDE:].astype(float).T
    assert np.abs(tiles.scores(0, 1) - exact).max() < tiles.error


def test_a_run_that_was_broken_off_goes_on_after_its_last_whole_unit(tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int | None = None) -> None:
        raise KeyboardInterrupt

    def written() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()}

    vectors = unit(ROWS)
    with pytest.raises(KeyboardInterrupt):
        all_pairs(vectors, 9, tmp_path / "work", stop, unit=1)
    first = written()
    same(all_pairs(vectors, 9, tmp_path / "work", unit=1), ExactIndex(vectors).search(vectors, 9))
    assert [name for name in first if "nearest" in name] == ["00000.nearest.npy"]
    assert sum("nearest" in name for name in written()) == 3
    assert first.items() <= written().items()  # what the first unit found was not found again


@pytest.mark.parametrize("change", ["vectors", "k"])
def test_what_other_work_left_is_not_taken_for_this(tmp_path: Path, change: str) -> None:
    vectors, k = unit(ROWS), 5
    all_pairs(vectors, k, tmp_path / "work", unit=1)
    if change == "vectors":
        vectors = unit(ROWS, seed=7)
    else:
        k = 6
    same(all_pairs(vectors, k, tmp_path / "work", unit=1), ExactIndex(vectors).search(vectors, k))


def test_progress_ends_at_all_rows(tmp_path: Path) -> None:
    progress: list[tuple[str, int, int | None]] = []
    all_pairs(unit(ROWS), 3, tmp_path / "work", lambda *step: progress.append(step), unit=1)
    assert progress[0] == ("nearest", 0, ROWS)
    assert progress[-1] == ("nearest", ROWS, ROWS)
    assert [done for _, done, _ in progress] == sorted(done for _, done, _ in progress)
