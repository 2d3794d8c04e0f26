"""Learning from a catalogue: made-up products whose images differ along known directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from numpy.typing import NDArray

from image_similarity.errors import AdaptationError, UsageError
from image_similarity.quality.adaptation.groups import grouped, joined, pairs_of_products, sample
from image_similarity.quality.adaptation.learn import LearnOptions, learn
from image_similarity.quality.adaptation.validation import Hits, estimates, leave_one_out
from image_similarity.quality.adaptation.whitening import deviations, whitening, within_group_axes
from image_similarity.util.statistics import Bootstrap

Floats = NDArray[np.float32]
QUICK = LearnOptions(dimensions=(8, 0), resamples=200)


def shop(
    products: int, images: int, dimension: int = 24, nuisance: float = 5.0, seed: int = 0
) -> tuple[Floats, list[str]]:
    """Images of products that differ in all directions a little and along the first three a lot, as in another pose."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.standard_normal((products, dimension)), images, axis=0)
    spread = np.full(dimension, 0.3)
    spread[:3] += nuisance
    vectors = centres + random.standard_normal(centres.shape) * spread
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32), [f"p{number // images:03}" for number in range(len(unit))]


def test_the_directions_in_which_images_of_one_product_differ_count_less() -> None:
    vectors, products = shop(60, 4)
    learned = learn(vectors, products, QUICK)
    gains = np.linalg.norm(learned.projection.matrix, axis=1)
    assert gains[:3].max() < 0.5 * gains[3:].min()
    assert learned.helps
    assert learned.after.value > learned.before.value + 0.2
    assert learned.difference.value == pytest.approx(learned.after.value - learned.before.value)
    assert learned.difference.low <= learned.difference.value <= learned.difference.high
    assert (learned.products, learned.images) == (60, 240)


def test_it_helps_products_that_it_was_not_learned_from() -> None:
    vectors, products = shop(120, 4)
    learned = learn(vectors[:240], products[:240], QUICK)
    held_out, groups = vectors[240:], grouped(products[240:])
    assert leave_one_out(learned.projection.apply(held_out), groups).share > leave_one_out(held_out, groups).share + 0.2


def test_images_that_differ_in_no_way_of_their_own_are_not_helped() -> None:
    # Every image stands for itself: which are called one product says nothing.
    random = np.random.default_rng(3)
    vectors = random.standard_normal((160, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    learned = learn(vectors, [number // 4 for number in range(160)], QUICK)
    assert not learned.helps
    assert learned.difference.low <= 0


def test_fewer_than_thirty_products_with_several_images_are_too_few() -> None:
    vectors, products = shop(29, 3)
    alone = np.eye(40, 24, dtype=np.float32)
    with pytest.raises(AdaptationError, match="29 products have several images, and at least 30 are needed"):
        learn(np.concatenate([vectors, alone]), [*products, *(f"alone{n}" for n in range(40))], QUICK)
    with pytest.raises(AdaptationError, match="0 products"):
        learn(np.empty((0, 24), np.float32), [], QUICK)


def test_copies_of_one_picture_teach_nothing() -> None:
    vectors = np.repeat(np.eye(40, 48, dtype=np.float32), 3, axis=0)
    with pytest.raises(AdaptationError, match="the same vector"):
        learn(vectors, [number // 3 for number in range(120)], QUICK)


def test_the_same_catalogue_teaches_the_same() -> None:
    vectors, products = shop(40, 3)
    one, other = learn(vectors, products, QUICK), learn(vectors, products, QUICK)
    assert one.projection.digest == other.projection.digest
    assert one.as_dict() == other.as_dict()


@hypothesis_settings(max_examples=8)
@given(st.integers(0, 10_000))
def test_the_order_of_the_rows_does_not_matter(seed: int) -> None:
    vectors, products = shop(36, 3, dimension=12)
    order = np.random.default_rng(seed).permutation(len(products))
    one, other = learn(vectors, products, QUICK), learn(vectors[order], [products[row] for row in order], QUICK)
    np.testing.assert_allclose(one.projection.apply(vectors), other.projection.apply(vectors), atol=1e-4)
    assert (one.dimension, one.regularisation, one.share) == (other.dimension, other.regularisation, other.share)
    assert one.after == other.after


@hypothesis_settings(max_examples=8)
@given(st.integers(5, 30), st.sampled_from([4, 8, 0]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 99))
def test_the_projection_has_unit_length_and_the_requested_dimension(
    dimension: int, requested: int, share: float, seed: int
) -> None:
    vectors, products = shop(32, 2, dimension=dimension, seed=seed)
    learned = learn(vectors, products, replace(QUICK, dimensions=(requested,), shares=(share,)))
    projected = learned.projection.apply(vectors)
    assert projected.shape == (64, min(requested or dimension, dimension)) == (64, learned.dimension)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("dimension", [6, 40], ids=["more rows than numbers", "more numbers than rows"])
def test_the_covariance_within_products_is_half_the_mean_square_of_all_pairs(dimension: int) -> None:
    vectors, products = shop(5, 3, dimension=dimension)
    groups = grouped(products)
    axes = within_group_axes(vectors, groups)
    # Independently: over products of n images, the sum over pairs of squared differences is n times that of deviations.
    pairs = [vectors[i].astype(float) - vectors[j] for i in range(15) for j in range(i) if groups[i] == groups[j]]
    by_pairs = sum(np.outer(pair, pair) for pair in pairs) / 3 / (15 - 5)
    np.testing.assert_allclose((axes.directions.T * axes.variances) @ axes.directions, by_pairs, atol=1e-8)


def test_whitened_differences_are_alike_in_every_direction() -> None:
    vectors, products = shop(200, 5, dimension=6)
    groups = grouped(products)
    matrix = whitening(within_group_axes(vectors, groups), 6, 1e-6)
    spread = np.cov((deviations(vectors, groups) @ matrix.T).T)
    np.testing.assert_allclose(spread / spread[0, 0], np.eye(6), atol=0.01)


def test_who_finds_his_own_product_is_counted_as_by_another_library() -> None:
    from sklearn.metrics import pairwise_distances

    vectors, products = shop(20, 3)
    groups = grouped(products)
    distances = pairwise_distances(vectors, metric="cosine")
    np.fill_diagonal(distances, np.inf)
    assert leave_one_out(vectors, groups).share == (groups[distances.argmin(axis=1)] == groups).mean()


def test_a_product_with_one_image_is_found_but_is_not_a_query() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0.8, 0.6]], np.float32)
    hits = leave_one_out(vectors, np.array([0, 0, 1]))
    assert (hits.right.tolist(), hits.queries.tolist()) == ([0], [2])


def test_an_interval_is_of_products_and_not_of_images() -> None:
    few = Hits(np.array([0.0, 100.0]), np.array([100.0, 100.0]))
    before, _, difference = estimates(few, few, Bootstrap(500))
    assert (before.value, before.low, before.high) == (0.5, 0, 1)  # two products know no better
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_pairs_that_are_alike_make_one_group_of_all_that_they_link() -> None:
    groups = grouped(["a", "b", "c", "d", "a"])
    assert joined(groups, [(0, 1), (2, 1)]).tolist() == [0, 0, 0, 1, 0]
    assert joined(groups, []).tolist() == groups.tolist()
    with pytest.raises(UsageError, match=r"\(0, 5\) names a row that is not there: rows are 0 to 4"):
        joined(groups, [(0, 5)])
    assert pairs_of_products(["a", "b", "b"], [("a", "b"), ("b", "z")]) == ([(0, 2)], ["z"])


def test_pairs_teach_where_every_product_has_one_image() -> None:
    vectors, products = shop(60, 2)
    alone = [f"{product}-{number % 2}" for number, product in enumerate(products)]
    with pytest.raises(AdaptationError, match="0 products"):
        learn(vectors, alone, QUICK)
    learned = learn(vectors, alone, QUICK, pairs=[(row, row + 1) for row in range(0, 120, 2)])
    assert learned.helps
    assert learned.products == 60


def test_a_large_catalogue_is_sampled_by_whole_products() -> None:
    groups = np.repeat(np.arange(1000), 3)
    rows = sample(groups, 100, np.random.default_rng(0))
    assert len(rows) == 99
    assert (np.bincount(groups[rows])[np.unique(groups[rows])] == 3).all()
    vectors, products = shop(100, 3)
    assert learn(vectors, products, replace(QUICK, most_rows=120)).images == 120
