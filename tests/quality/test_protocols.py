"""The protocols against whole rankings that are sorted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from image_similarity.quality.evaluation.protocols import (
    BlockSize,
    Catalogue,
    leave_one_image_out,
    photos,
    picks,
    rank_queries,
    simulated,
)
from image_similarity.quality.evaluation.ranks import ImageScores, ProductScores
from image_similarity.ranking.aggregate import rank_products
from image_similarity.ranking.gallery import Gallery
from image_similarity.types import Features


def catalogue(sizes: list[int], seed: int = 0, dimension: int = 3, alike: int = 4) -> Catalogue:
    """Products of so many images each; few directions, so that many scores are equal."""
    row_product = np.repeat(np.arange(len(sizes)), sizes)
    random = np.random.default_rng(seed)
    directions = random.standard_normal((alike, dimension)).astype(np.float32)
    vectors = directions[random.integers(0, alike, len(row_product))]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Catalogue(vectors.astype(np.float16), row_product, np.concatenate([[0], np.cumsum(sizes)]))


def scores_of(queries: NDArray[np.floating], gallery: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosines to six decimals, a pair at a time."""
    return np.round([[np.dot(a, b) for b in gallery.astype(float)] for a in queries.astype(float)], 6).clip(-1, 1)


def sorted_by_hand(line: NDArray[np.float64], allowed: NDArray[np.bool_]) -> list[int]:
    return sorted(np.flatnonzero(allowed).tolist(), key=lambda item: (-line[item], item))


def by_hand(rankings: list[list[int]], right: list[set[int]]) -> list[list[float]]:
    """The five measures as their papers write them down."""
    table = []
    for ranking, expected in zip(rankings, right, strict=True):
        hits = [item in expected for item in ranking]
        r = len(expected)
        precisions = [sum(hits[: i + 1]) / (i + 1) for i in range(r) if hits[i]]
        shares = [float(any(hits[:depth])) for depth in (1, 5, 10)]
        table.append([*shares, sum(precisions) / r, 1 / (hits.index(True) + 1)])
    return table


SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=12).filter(lambda sizes: max(sizes) > 1)


@given(SIZES, st.integers(0, 1000), st.booleans())
def test_one_image_out_is_as_sorted_by_hand(sizes: list[int], seed: int, leave_attribute_out: bool) -> None:
    images = catalogue(sizes, seed)
    rows = np.arange(len(images.vectors))
    colours = np.random.default_rng(seed).integers(0, 3, len(rows)) if leave_attribute_out else None
    scores = scores_of(images.vectors, images.vectors)
    rankings, right, query_rows = [], [], []
    for row in rows:
        allowed = rows != row
        if colours is not None and colours[row]:
            allowed &= colours != colours[row]
        expected = set(np.flatnonzero(allowed & (images.row_product == images.row_product[row])).tolist())
        if expected:
            query_rows.append(int(row))
            rankings.append(sorted_by_hand(scores[row], allowed))
            right.append(expected)
    outcome = rank_queries(leave_one_image_out(images, colours), ImageScores(images.vectors))
    assert outcome.numbers.tolist() == query_rows
    assert outcome.values == pytest.approx(np.array(by_hand(rankings, right)).reshape(-1, 5))
    assert outcome.top.tolist() == [ranking[0] for ranking in rankings]
    assert outcome.best.tolist() == [
        next(i for i in ranking if i in expected) for ranking, expected in zip(rankings, right, strict=True)
    ]


@given(SIZES, st.integers(0, 1000))
def test_photos_of_one_or_two_products_are_as_sorted_by_hand(sizes: list[int], seed: int) -> None:
    images, random = catalogue(sizes, seed), np.random.default_rng(seed)
    queries = catalogue([7], seed + 1).vectors
    expected = [random.choice(len(sizes), min(len(sizes), 1 + i % 2), replace=False).tolist() for i in range(7)]
    outcome = rank_queries(photos(images, queries, expected), ImageScores(images.vectors))
    every = np.ones(len(images.vectors), bool)
    rankings = [sorted_by_hand(line, every) for line in scores_of(queries, images.vectors)]
    right = [set(np.flatnonzero(np.isin(images.row_product, products)).tolist()) for products in expected]
    assert outcome.values == pytest.approx(np.array(by_hand(rankings, right)))
    assert outcome.products.tolist() == [products[0] for products in expected]


@given(SIZES, st.integers(0, 1000))
def test_simulated_photos_are_as_sorted_by_hand(sizes: list[int], seed: int) -> None:
    images, random = catalogue(sizes, seed), np.random.default_rng(seed)
    queries = catalogue([7], seed + 1).vectors
    rows = np.arange(len(images.vectors))
    sources = random.integers(0, len(rows), 7)
    rankings, right = [], []
    for line, source in zip(scores_of(queries, images.vectors), sources, strict=True):
        product = images.row_product[source]
        alone = sizes[product] == 1  # then the source is all that there is to find
        rankings.append(sorted_by_hand(line, np.ones(len(rows), bool) if alone else rows != source))
        right.append(set(rows[images.row_product == product].tolist()) - (set() if alone else {int(source)}))
    outcome = rank_queries(simulated(images, queries, sources), ImageScores(images.vectors))
    assert outcome.values == pytest.approx(np.array(by_hand(rankings, right)))
    assert outcome.numbers.tolist() == list(range(7))
    assert outcome.products.tolist() == images.row_product[sources].tolist()


@given(SIZES, st.integers(0, 1000))
def test_a_sample_of_queries_has_the_same_results_as_among_all(sizes: list[int], seed: int) -> None:
    images = catalogue(sizes, seed)
    whole = rank_queries(leave_one_image_out(images), ImageScores(images.vectors))
    some = np.sort(np.random.default_rng(seed).permutation(whole.numbers)[: 1 + len(whole.numbers) // 2])
    part = rank_queries(leave_one_image_out(images, query_rows=some), ImageScores(images.vectors))
    assert part.numbers.tolist() == some.tolist()
    assert (part.values == whole.values[np.isin(whole.numbers, some)]).all()


@given(st.lists(st.integers(1, 4), min_size=2, max_size=12), st.integers(0, 1000))
def test_picks_are_judged_on_the_products_that_best_ranks(sizes: list[int], seed: int) -> None:
    images, random = catalogue(sizes, seed), np.random.default_rng(seed)
    count = len(sizes)
    similar = {
        product: random.choice(np.delete(np.arange(count), product), min(count - 1, 2), replace=False).tolist()
        for product in range(0, count, 2)
    }
    names = [f"p{product:02}" for product in images.row_product]
    rows = [f"i{row:03}" for row in range(len(names))]
    gallery = Gallery(Features(rows, names, ["000"] * len(names), images.vectors))
    answers = rank_products(gallery, [gallery.query(product) for product in similar], count, "best")
    rankings = [[int(match.product_id[1:]) for match in answer] for answer in answers]
    outcome = rank_queries(picks(images, similar), ProductScores(images.vectors, images.starts))
    assert outcome.values == pytest.approx(np.array(by_hand(rankings, [set(each) for each in similar.values()])))


def test_blocks_of_any_size_give_the_same() -> None:
    images = catalogue([1, 2, 9, 30, 4, 4, 17], dimension=16, alike=40)
    whole = rank_queries(leave_one_image_out(images), ImageScores(images.vectors))
    done: list[int] = []
    queries = leave_one_image_out(images, block=BlockSize(queries=7, right=40))
    cut = rank_queries(queries, ImageScores(images.vectors), done.append, block_items=5)
    assert (cut.values == whole.values).all()
    assert (cut.top == whole.top).all()
    assert done == sorted(done)
    assert done[-1] == len(whole.numbers) == 66


def test_a_query_without_a_right_answer_left_is_skipped() -> None:
    images = catalogue([2, 2, 1])
    colours = np.array([1, 1, 1, 2, 0])  # the first product has one colour only
    outcome = rank_queries(leave_one_image_out(images, colours), ImageScores(images.vectors))
    assert outcome.numbers.tolist() == [2, 3]
    nothing = rank_queries(leave_one_image_out(images, np.ones(5, int)), ImageScores(images.vectors))
    assert len(nothing.numbers) == 0
    assert nothing.values.shape == (0, 5)
