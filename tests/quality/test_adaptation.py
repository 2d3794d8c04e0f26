"""Learning from a catalogue: made-up products whose images differ along known directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from numpy.typing import NDArray

from image_similarity.errors import AdaptationError, UsageError
from image_similarity.quality.adaptation.groups import grouped, joined, pairs_of_products, sample
from image_similarity.quality.adaptation.learn import Choice, LearnOptions, Photos, held_out, learn
from image_similarity.quality.adaptation.validation import Change, Hits, change, leave_one_out, photo_hits
from image_similarity.quality.adaptation.whitening import axes_of, deviations, whitening
from image_similarity.util.statistics import Bootstrap, Estimate

Floats = NDArray[np.float32]
QUICK = LearnOptions(resamples=200)


def shop(
    products: int, images: int, dimension: int = 24, nuisance: float = 5.0, seed: int = 0
) -> tuple[Floats, list[str]]:
    """Images of products that differ in all directions a little and along the first three a lot, as in another pose."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.standard_normal((products, dimension)), images, axis=0)
    spread = np.full(dimension, 0.3)
    spread[:3] += nuisance
    vectors = centres + random.standard_normal(centres.shape) * spread
    return unit(vectors), [f"p{number // images:03}" for number in range(len(vectors))]


def unit(vectors: NDArray[np.floating]) -> Floats:
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def change_of(found: Change | None) -> Change:
    assert found is not None
    return found


def test_the_directions_in_which_images_of_one_product_differ_count_less() -> None:
    vectors, products = shop(60, 4)
    learned = learn(vectors, products, QUICK)
    gains = np.linalg.norm(learned.projection.matrix, axis=1)
    assert gains[:3].max() < 0.5 * gains[3:].min()
    assert learned.helps
    found = change_of(learned.leave_one_out)
    assert found.after.value > found.before.value + 0.2
    assert found.difference.value == pytest.approx(found.after.value - found.before.value)
    assert found.difference.low <= found.difference.value <= found.difference.high
    assert (learned.products, learned.images, learned.photos, learned.simulated) == (60, 240, 0, None)


def photographed(vectors: Floats, rows: Sequence[int], scene: float = 4.0, seed: int = 1) -> Photos:
    """Photos of rows that differ from them a little everywhere and along the second three numbers a lot, as in another
    light."""
    random = np.random.default_rng(seed)
    spread = np.full(vectors.shape[1], 0.02)
    spread[3:6] += scene / np.sqrt(vectors.shape[1])
    photos = vectors[rows] + random.standard_normal((len(rows), vectors.shape[1])) * spread
    return Photos(unit(photos), np.array(rows, np.intp))


def test_the_directions_in_which_photos_differ_from_their_images_count_less() -> None:
    vectors, products = shop(60, 4, nuisance=2)
    photos = photographed(vectors, range(0, 240, 2))
    learned = learn(vectors, products, QUICK, photos=photos)
    gains = np.linalg.norm(learned.projection.matrix, axis=1)
    assert gains[3:6].max() < 0.7 * gains[6:].min()
    assert learned.helps
    assert (learned.products, learned.images, learned.photos) == (60, 240, 120)
    found = change_of(learned.simulated)
    assert found.difference.low > 0
    without = np.linalg.norm(learn(vectors, products, QUICK).projection.matrix, axis=1)
    assert without[3:6].min() > 0.8 * without[6:].max(), "images alone say nothing about light"


def test_photos_teach_where_every_product_has_one_image() -> None:
    vectors, _ = shop(100, 1, nuisance=0)
    learned = learn(vectors, range(100), QUICK, photos=photographed(vectors, range(100)))
    gains = np.linalg.norm(learned.projection.matrix, axis=1)
    assert gains[3:6].max() < 0.5 * np.delete(gains, slice(3, 6)).min()
    assert learned.helps
    assert learned.leave_one_out is None
    assert change_of(learned.simulated).difference.low > 0.1
    assert (learned.products, learned.images, learned.photos) == (100, 100, 100)


def test_what_helps_left_out_images_but_hurts_photos_does_not_help() -> None:
    # The first three numbers say nothing about products with several images, and all about those with one.
    several, products = shop(40, 4)
    random = np.random.default_rng(5)
    alone = random.standard_normal((150, 24)) * 0.3
    alone[:, :3] = random.standard_normal((150, 3)) * 5
    vectors = np.concatenate([several, unit(alone)])
    photos = unit(vectors[160:] + random.standard_normal((150, 24)) * ([0.0] * 3 + [0.12] * 21))
    learned = learn(
        vectors, [*products, *map(str, range(150))], QUICK, photos=Photos(photos, np.arange(160, 310, dtype=np.intp))
    )
    assert change_of(learned.leave_one_out).difference.low > 0.2
    assert change_of(learned.simulated).difference.value < 0
    assert not learned.helps


@pytest.mark.parametrize("tells", [True, False], ids=["it tells products apart", "it is noise"])
def test_the_smallest_part_counts_more_where_it_tells_products_apart(tells: bool) -> None:
    random = np.random.default_rng(6)
    owner = np.repeat(np.arange(60), 3)
    sure = random.standard_normal((60, 12))[owner] + 0.6 * random.standard_normal((180, 12))
    noise = random.standard_normal((180, 12))
    large, small = (noise, sure) if tells else (sure, noise)
    vectors = np.concatenate([np.sqrt(0.8) * unit(large), np.sqrt(0.2) * unit(small)], axis=1).astype(np.float32)
    learned = learn(vectors, owner, replace(QUICK, regularisations=(1.0,)), smallest_part=slice(12, 24))
    assert learned.choice.emphasis == (2.0 if tells else 1.0)


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
    assert change_of(learned.leave_one_out).difference.low <= 0


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
    assert one.choice == other.choice
    assert one.leave_one_out == other.leave_one_out


@hypothesis_settings(max_examples=8)
@given(st.integers(5, 30), st.sampled_from([4, 8, 256]), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 99))
def test_the_projection_has_unit_length_and_the_requested_dimension(
    dimension: int, requested: int, share: float, seed: int
) -> None:
    vectors, products = shop(32, 2, dimension=dimension, seed=seed)
    learned = learn(vectors, products, replace(QUICK, dimension=requested, share=share))
    projected = learned.projection.apply(vectors)
    assert projected.shape == (64, min(requested, dimension)) == (64, learned.choice.dimension)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1, atol=1e-5)


def test_vectors_of_a_large_model_become_short() -> None:
    learned = learn(*shop(40, 8, dimension=300), QUICK)
    assert learned.projection.matrix.shape == (300, 256)


@pytest.mark.parametrize("dimension", [6, 40], ids=["more rows than numbers", "more numbers than rows"])
def test_the_covariance_within_products_is_half_the_mean_square_of_all_pairs(dimension: int) -> None:
    vectors, products = shop(5, 3, dimension=dimension)
    groups = grouped(products)
    # Independently: over products of n images, the sum over pairs of squared differences is n times that of deviations.
    pairs = [vectors[i].astype(float) - vectors[j] for i in range(15) for j in range(i) if groups[i] == groups[j]]
    by_pairs = sum(np.outer(pair, pair) for pair in pairs) / 3 / (15 - 5)
    rows = deviations(vectors, groups)
    np.testing.assert_allclose(rows.T @ rows, by_pairs, atol=1e-6)
    axes = axes_of(rows)
    assert len(axes.variances) == min(dimension, 15 - 5)
    np.testing.assert_allclose((axes.directions.T * axes.variances) @ axes.directions, by_pairs, atol=1e-6)


def test_whitened_differences_are_alike_in_every_direction() -> None:
    vectors, products = shop(200, 5, dimension=6)
    rows = deviations(vectors, grouped(products))
    spread = np.cov(whitening(axes_of(rows), 1e-6)(rows).T)
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
    assert (hits.right.tolist(), hits.queries.tolist()) == ([0, 0], [2, 0])


def test_a_photo_is_of_a_product_and_not_of_its_own_image_unless_that_is_the_only_one() -> None:
    vectors = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
    groups = np.array([0, 0, 1])
    photos, sources = np.array([[1, 0], [0.8, 0.6]], np.float32), np.array([0, 2])
    hits = photo_hits(photos, sources, vectors, groups)
    assert (hits.right.tolist(), hits.queries.tolist()) == ([0, 1], [1, 1])


def test_what_is_held_out_teaches_nothing_neither_its_images_nor_its_photos() -> None:
    vectors, products = shop(40, 3)
    photos = photographed(vectors, range(0, 120, 2))
    choice = Choice(1.0, 1.0, 8, 0.5)
    first, *others = held_out(vectors, products, choice, photos=photos)
    assert first.out.sum() == 30 and (np.sum([other.out for other in others], axis=0) == ~first.out).all()
    changed, theirs = vectors.copy(), first.out[photos.rows]
    changed[first.out] = changed[first.out][::-1]
    photos.vectors[theirs] = photos.vectors[theirs][::-1]
    same, *now = held_out(changed, products, choice, photos=photos)
    assert same.projection.digest == first.projection.digest
    assert all(one.projection.digest != other.projection.digest for one, other in zip(others, now, strict=True))
    photos.vectors[~theirs] = photos.vectors[~theirs][::-1]
    assert next(held_out(changed, products, choice, photos=photos)).projection.digest != first.projection.digest


def test_an_interval_is_of_products_and_not_of_images() -> None:
    few = Hits(np.array([0.0, 100.0]), np.array([100.0, 100.0]))
    same = change(few, few, Bootstrap(500))
    assert same.before == Estimate(0.5, 0, 1)  # two products know no better
    assert same.difference == Estimate(0, 0, 0)


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
