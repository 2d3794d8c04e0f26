"""One suite for every index of nearest vectors. A new index is one line in INDEXES."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from image_similarity.neighbours import exact
from image_similarity.neighbours.row_sets import Listed
from image_similarity.types import NeighbourIndex

Vectors = NDArray[np.floating]
Build = Callable[..., NeighbourIndex]  # of vectors and, by name, how many queries and rows are compared together

INDEXES: list[Build] = [exact.ExactIndex]
# Of unit length in any precision, with many equal scores: all products of two are halves.
FLOAT16 = np.array(
    [*product((-0.5, 0.5), repeat=4), *np.eye(4), *-np.eye(4)],
    np.float16,
)


@pytest.fixture(params=INDEXES, ids=lambda build: build.__name__)
def build(request: pytest.FixtureRequest) -> Build:
    chosen: Build = request.param
    return chosen


def unit(count: int, dimension: int, seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    scaled: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return scaled


def nearest(vectors: Vectors, queries: Vectors, k: int, allowed: NDArray[np.bool_]) -> NDArray[np.intp]:
    """By the definition: every score, then a stable sort, so that equal scores stay in the order of the rows."""
    scores = np.round(queries.astype(float) @ vectors.astype(float).T, 6)
    scores[:, ~allowed] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, : min(k, int(allowed.sum()))]


def test_rows_and_scores_are_those_of_scikit_learn(build: Build) -> None:
    from sklearn.neighbors import NearestNeighbors

    vectors, queries = unit(400, 16, seed=1), unit(30, 16, seed=2)
    judge = NearestNeighbors(n_neighbors=12, metric="cosine", algorithm="brute").fit(vectors)
    distances, rows = judge.kneighbors(queries)
    found = build(vectors).search(queries, 12)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.scores, 1 - distances, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_stored_halves_score_as_scikit_learn_scores_them(build: Build, dtype: type[np.floating]) -> None:
    from sklearn.neighbors import NearestNeighbors

    vectors = FLOAT16.astype(dtype)
    judge = NearestNeighbors(n_neighbors=9, metric="cosine", algorithm="brute").fit(vectors.astype(np.float32))
    distances, _ = judge.kneighbors(vectors.astype(np.float32))
    found = build(vectors).search(vectors, 9)
    np.testing.assert_allclose(found.scores, 1 - distances, atol=2e-6)
    np.testing.assert_array_equal(found.rows, nearest(vectors, vectors, 9, np.ones(len(vectors), bool)))


def test_equal_scores_come_in_the_order_of_the_rows(build: Build) -> None:
    vectors = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [1, 0]], np.float16)
    found = build(vectors).search(np.array([[1, 0]], np.float32), 4)
    assert found.rows.tolist() == [[1, 3, 4, 0]]
    assert found.scores.tolist() == [[1, 1, 1, 0]]


def test_rounding_of_stored_vectors_never_makes_a_score_above_one(build: Build) -> None:
    vectors = unit(50, 512, seed=3).astype(np.float16)
    scores = build(vectors).search(vectors, 1).scores
    assert scores.max() <= 1


@pytest.mark.parametrize(("k", "expected"), [(0, 0), (1, 1), (24, 24), (25, 24), (1000, 24)])
def test_as_many_rows_as_requested_or_all(build: Build, k: int, expected: int) -> None:
    found = build(FLOAT16).search(FLOAT16[:3], k)
    assert found.rows.shape == found.scores.shape == (3, expected)
    assert all(len(set(rows)) == expected for rows in found.rows.tolist())


@pytest.mark.parametrize("chosen", [[], [0], [23], [3, 4, 5], [0, 7, 8, 20, 23], list(range(24))])
def test_only_allowed_rows_are_found_and_none_of_them_is_missed(build: Build, chosen: list[int]) -> None:
    allowed = np.isin(np.arange(24), chosen)
    found = build(FLOAT16).search(FLOAT16, 30, allowed)
    assert found.rows.shape == (24, len(chosen))
    assert all(sorted(rows) == chosen for rows in found.rows.tolist())
    few = build(FLOAT16).search(FLOAT16, 2, allowed)
    np.testing.assert_array_equal(few.rows, nearest(FLOAT16, FLOAT16, 2, allowed))


def test_nothing_asked_and_nothing_there(build: Build) -> None:
    assert build(FLOAT16).search(FLOAT16[:0], 5).rows.shape == (0, 5)
    assert build(FLOAT16[:0]).search(FLOAT16[:2], 5).rows.shape == (2, 0)


def test_the_stored_vectors_are_not_changed(build: Build) -> None:
    vectors = FLOAT16.copy()
    vectors.flags.writeable = False
    build(vectors).search(vectors, 3)
    assert (vectors == FLOAT16).all()


@given(
    rows=st.lists(st.integers(0, 23), max_size=40),
    queries=st.lists(st.integers(0, 23), min_size=1, max_size=9),
    k=st.integers(1, 12),
    mask=st.randoms(use_true_random=False),
    blocks=st.tuples(st.integers(1, 5), st.integers(1, 7)),
    dtype=st.sampled_from([np.float16, np.float32]),
)
@pytest.mark.parametrize("build", INDEXES, ids=lambda build: build.__name__)
def test_whatever_the_blocks_the_answer_is_the_definition(
    build: Build,
    rows: list[int],
    queries: list[int],
    k: int,
    mask: Random,
    blocks: tuple[int, int],
    dtype: type[np.floating],
) -> None:
    vectors, query_vectors = FLOAT16[rows].astype(dtype), FLOAT16[queries].astype(dtype)
    allowed = np.array([mask.random() < 0.7 for _ in rows], bool)
    index = build(vectors, queries=blocks[0], rows=blocks[1])
    found, everywhere = index.search(query_vectors, k, allowed), index.search(query_vectors, k)
    np.testing.assert_array_equal(found.rows, nearest(vectors, query_vectors, k, allowed))
    np.testing.assert_array_equal(everywhere.rows, nearest(vectors, query_vectors, k, np.ones(len(rows), bool)))
    exactly = np.einsum("qd,qkd->qk", query_vectors.astype(float), vectors[found.rows].astype(float))
    np.testing.assert_allclose(found.scores, exactly, atol=1e-6)


def test_a_catalogue_of_several_blocks_at_their_real_size(build: Build) -> None:
    vectors = FLOAT16[np.arange(exact.ROW_BLOCK * 2 + 100) % 24]
    found = build(vectors).search(FLOAT16[:1], 3, np.arange(len(vectors)) >= exact.ROW_BLOCK)
    first = exact.ROW_BLOCK + (-exact.ROW_BLOCK % 24)  # the first allowed row that equals the query
    assert found.rows.tolist() == [[first, first + 24, first + 48]]


def test_a_set_of_rows_in_no_order_is_as_good_as_its_mask(build: Build) -> None:
    vectors, queries = unit(60, 8, seed=4), unit(5, 8, seed=5)
    for rows in (Listed(np.array([41, 7, 43], np.intp), 60), Listed(np.array([9, 7, 8], np.intp), 60)):
        found = build(vectors).search(queries, 2, rows)
        np.testing.assert_array_equal(found.rows, nearest(vectors, queries, 2, rows.mask()))
