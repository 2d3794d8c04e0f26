"""The mathematics of match probabilities, against scikit-learn and by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from image_similarity.errors import CalibrationError
from image_similarity.quality.calibration.learn import LearnOptions, learn
from image_similarity.quality.calibration.measures import calibration_error, operating_point
from image_similarity.search.calibration.curves import Curve, fit_curve
from image_similarity.search.calibration.isotonic import isotonic
from image_similarity.search.calibration.logistic import logistic, sigmoid
from image_similarity.search.calibration.probabilities import ProbabilityCurve
from image_similarity.search.calibration.query_scores import QueryScores, features

Doubles = NDArray[np.float64]
MIXED = np.array([True, False])
numbers = st.floats(-3, 3).map(lambda value: round(value, 1))  # rounded, so that many are equal


# Curves -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(numbers, numbers, st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=40))
def test_rising_steps_are_those_of_scikit_learn(rows: list[tuple[float, float, float]]) -> None:
    from sklearn.isotonic import IsotonicRegression

    values, targets, weights = np.array(rows).T
    places, levels = isotonic(values, targets, weights)
    inputs = np.linspace(-4, 4, 81)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(values, targets, weights)
    np.testing.assert_allclose(np.interp(inputs, places, levels), theirs.predict(inputs), atol=1e-9)
    assert (np.diff(places) > 0).all() and (np.diff(levels) >= 0).all()


def test_steps_pool_what_falls() -> None:
    places, levels = isotonic(np.array([1.0, 2, 3, 4]), np.array([0.0, 1, 0, 1]), np.ones(4))
    assert list(places) == [1, 2, 3, 4]
    assert list(levels) == [0, 0.5, 0.5, 1]


def test_the_logistic_curve_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(3)
    features = random.normal(size=(500, 2)) * [1, 40] + [0, 7]
    right = random.random(500) < sigmoid(features @ [1.5, -0.05] + 0.4)
    weights = random.choice([0.5, 2.0], 500)
    coefficients, bias = logistic(features, right, weights)
    # Platt's targets are two queries more, each half right and half wrong in effect: here too few to tell.
    theirs = LogisticRegression(C=1e6, max_iter=1000).fit(features, right, weights)
    np.testing.assert_allclose(coefficients, theirs.coef_[0], rtol=0.03)
    np.testing.assert_allclose(bias, theirs.intercept_[0], atol=0.03)


def test_a_feature_that_tells_all_gives_no_certainty() -> None:
    score = np.linspace(0, 1, 20)
    coefficients, bias = logistic(score[:, None], score > 0.5, np.ones(20))
    probabilities = sigmoid(score * coefficients[0] + bias)
    assert np.isfinite(probabilities).all() and 0 < probabilities[0] < 0.1 and 0.9 < probabilities[-1] < 1


def test_all_right_or_all_alike_is_no_trouble() -> None:
    for right in (np.ones(5, bool), np.zeros(5, bool)):
        probabilities = fit_curve(np.full((5, 4), 0.3), right, np.ones(5))(np.full((1, 4), 0.3))
        assert probabilities[0] > 0.8 if right[0] else probabilities[0] < 0.2


cosines = st.floats(-1, 1).map(lambda value: round(value, 2))


@given(st.lists(st.tuples(cosines, cosines, cosines, st.booleans()), min_size=2, max_size=40), cosines, cosines)
def test_a_higher_score_is_never_less_likely_and_a_record_gives_the_curve_again(
    rows: list[tuple[float, float, float, bool]], second: float, third: float
) -> None:
    scores, right = -np.sort(-np.array(rows)[:, :3]), np.array(rows)[:, 3] > 0
    curve = fit_curve(features(scores)[:, 0], right, np.ones(len(rows)))
    second, third = max(second, third), min(second, third)
    first = np.linspace(second, 1, 30)
    probabilities = curve(features(np.column_stack([first, np.full((30, 2), (second, third))]))[:, 0])
    assert (np.diff(probabilities) >= -1e-12).all() and (probabilities > 0).all() and (probabilities < 1).all()
    assert Curve.from_dict(curve.as_dict()) == curve


def test_a_curve_is_the_mean_of_a_logistic_one_and_of_rising_steps() -> None:
    random = np.random.default_rng(2)
    inputs = random.normal(size=(200, 4))
    right = random.random(200) < sigmoid(inputs @ [2, -1, 1, 0.5])
    curve = fit_curve(inputs, right, np.ones(200))
    slopes, bias = logistic(inputs, right, np.ones(200))
    values = inputs @ slopes + bias
    places, levels = isotonic(values, right.astype(float), np.ones(200))
    steps = np.interp(values, places, np.clip(levels, 1 / 202, 201 / 202))
    np.testing.assert_allclose(curve(inputs), (sigmoid(values) + steps) / 2)
    with pytest.raises(ValueError, match="below 0 or above 1"):
        Curve.from_dict(curve.as_dict() | {"smooth": 1.5})


def test_a_lead_tells_more_the_smaller_the_rival() -> None:
    """Wrong first matches lead by a little, right ones by a lot: what tells them apart is not linear in the margin."""
    random = np.random.default_rng(1)
    right = random.random(4000) < 0.5
    margin = np.where(right, random.normal(0.3, 0.1, 4000).clip(0.001), random.exponential(0.03, 4000))
    scores = np.column_stack([0.5 + margin, np.full(4000, 0.5)])
    probabilities = fit_curve(features(scores)[:, 0], right, np.ones(4000))(features(scores)[:, 0])
    assert calibration_error(probabilities, right) < 0.02


# Measures ---------------------------------------------------------------------------------------------------------


def test_the_calibration_error_by_hand() -> None:
    probabilities = np.array([0.11, 0.19, 0.85, 0.95, 1.0])
    right = np.array([False, True, True, True, False])
    # 0.1..0.2: mean 0.15, half right; 0.8..0.9: 0.85, all right; above 0.9: 0.975, half right.
    by_hand = (2 * 0.35 + 0.15 + 2 * 0.475) / 5
    assert calibration_error(probabilities, right) == pytest.approx(by_hand)
    assert calibration_error(probabilities, right, np.ones(5) * 7) == pytest.approx(by_hand)
    heavier = calibration_error(probabilities, right, np.array([1, 1, 3, 1, 1.0]))
    assert heavier == pytest.approx((2 * 0.35 + 3 * 0.15 + 2 * 0.475) / 7)


def test_what_says_the_truth_has_no_error() -> None:
    random = np.random.default_rng(0)
    probabilities = random.random(50_000)
    assert calibration_error(probabilities, random.random(50_000) < probabilities) < 0.01
    assert calibration_error(probabilities, random.random(50_000) < probabilities**2) > 0.1


def test_a_threshold_lets_in_as_many_as_allowed_and_no_more() -> None:
    strange = np.arange(100) / 100
    known = np.array([0.99, 0.97, 0.96, 0.5, 0.98])
    probabilities = np.concatenate([strange, known])
    right = np.concatenate([np.zeros(100, bool), [True, True, True, True, False]])
    kept = operating_point(probabilities, right, np.arange(105) >= 100, np.ones(105), 0.05)
    assert kept.threshold == 0.95
    assert kept.false_matches == pytest.approx(0.05)
    assert kept.kept == pytest.approx(3 / 5)
    assert kept.found == pytest.approx(4 / 5)


def test_if_wrong_answers_have_the_highest_probability_none_is_kept() -> None:
    probabilities = np.array([0.9, 0.9, 0.9, 0.2])
    kept = operating_point(
        probabilities, np.array([False, False, True, True]), np.array([False, False, True, True]), np.ones(4), 0.4
    )
    assert kept.kept == 0 and kept.false_matches == 0 and kept.threshold > 0.9


# Queries --------------------------------------------------------------------------------------------------------


def test_each_query_counts_with_and_without_its_product() -> None:
    queries = QueryScores(np.array([7, 8]), np.array([0.8, 0.1]), np.array([[0.9, 0.5], [0.7, 0.6]]), MIXED)
    answers = queries.answers(0.75)
    assert answers.scores.tolist() == [[0.9, 0.8], [0.7, 0.6], [0.9, 0.5], [0.7, 0.6]]
    assert answers.right.tolist() == [[False, True], [False, False], [False, False], [False, False]]
    assert answers.known.tolist() == [True, True, False, False]
    assert answers.weights.tolist() == [1.5, 1.5, 0.5, 0.5]
    assert answers.plain.tolist() == [True, False, True, False]


def test_the_features_of_an_answer_are_score_rival_lead_and_level() -> None:
    inputs = features(np.array([[0.9, 0.87, 0.6]]))
    by_hand = [[0.9, 0.87, np.log(2), 0.735], [0.87, 0.9, -np.log(2), 0.735], [0.6, 0.9, -np.log(11), 0.735]]
    np.testing.assert_allclose(inputs[0], by_hand)
    np.testing.assert_allclose(features(np.array([[0.4]])), [[[0.4, 0.4, 0, 0.4]]])  # a single answer has no lead


def test_a_draw_is_no_knowledge() -> None:
    answers = QueryScores(np.array([0]), np.array([0.9]), np.array([[0.9, 0.5]]), np.ones(1, bool)).answers(0.5)
    assert answers.right[0].tolist() == [False, True]


def test_queries_of_all_kinds_are_as_deep_as_the_least_deep() -> None:
    some, many = (
        QueryScores(np.arange(n), np.zeros(n), np.zeros((n, depth)), np.ones(n, bool)) for n, depth in ((2, 5), (8, 3))
    )
    assert QueryScores.concatenated([some, many]).others.shape == (10, 3)


# Learning ---------------------------------------------------------------------------------------------------------


def made_up(products: int, seed: int, each: int = 4, spread: float = 0.08) -> QueryScores:
    """Own scores about 0.7 and others' best about 0.5, so that they overlap."""
    random = np.random.default_rng(seed)
    count = products * each
    easy = np.repeat(random.normal(0, 0.05, products), each)
    others = -np.sort(-(0.5 + random.normal(0, spread, (count, 10))), axis=1)
    own = 0.72 + easy + random.normal(0, spread, count)
    return QueryScores(np.repeat(np.arange(products), each), own, others, np.zeros(count, bool))


def test_what_was_learned_holds_for_others() -> None:
    learned = learn({"made up": made_up(150, 1)})
    assert learned.error <= 0.05 and learned.shown_error <= 0.05
    kept = learned.operating_points["made up"]
    assert kept.false_matches <= 0.05
    assert 0.2 < kept.kept < kept.found
    fresh = made_up(150, 2).answers(0.5)
    probabilities = learned.calibration.probabilities(fresh.scores, fresh.plain)
    assert calibration_error(probabilities[:, 0], fresh.right[:, 0], fresh.weights) <= 0.05
    assert learned.as_dict()["kinds"]["made up"]["queries"] == 600


def test_the_error_is_measured_on_held_out_products() -> None:
    """Scores that tell which product asks teach nothing about others: only a fold that knows it would gain."""
    random = np.random.default_rng(5)
    products, each = 40, 6
    easy = np.repeat(random.random(products) < 0.5, each)
    own = np.where(easy, 0.9, 0.1)
    first = 0.5 + np.repeat(np.arange(products), each) * 0.01
    others = np.column_stack([first, first - 0.2])
    queries = QueryScores(np.repeat(np.arange(products), each), own, others, np.zeros(len(own), bool))
    learned = learn({"named": queries})
    seen = queries.answers(0.5)
    inside = calibration_error(
        learned.calibration.probabilities(seen.scores, seen.plain)[:, 0], seen.right[:, 0], seen.weights
    )
    assert learned.error > 1.2 * inside


def test_the_error_hardly_depends_on_how_products_are_split() -> None:
    queries = {"made up": made_up(40, 1)}
    once, often = (
        np.std([learn(queries, LearnOptions(splits=splits, seed=seed)).error for seed in range(6)]) for splits in (1, 5)
    )
    assert often < 0.6 * once


def test_probabilities_of_one_answer_are_of_one_product_or_none() -> None:
    sure = Curve((0.0, 0.0, 0.0, 0.0), 3.0)
    probabilities = ProbabilityCurve(sure, sure).probabilities(np.array([[0.9, 0.9, 0.2]]))
    assert probabilities.sum() == pytest.approx(1)
    assert probabilities[0, 0] == pytest.approx(probabilities[0, 2])


def test_a_lower_known_share_lowers_the_probability() -> None:
    many, few = (learn({"all": made_up(60, 1)}, LearnOptions(known_share=share)) for share in (0.8, 0.2))
    scores, scene = np.array([[0.68, 0.6, 0.5]]), np.zeros(1, bool)
    assert few.calibration.probabilities(scores, scene)[0, 0] < many.calibration.probabilities(scores, scene)[0, 0]


def test_a_margin_helps_where_products_differ_in_how_alike_others_are() -> None:
    queries = made_up(120, 3)
    crowded = np.random.default_rng(4).random((120, 1)).repeat(4, axis=0) * 0.4
    moved = replace(queries, own=queries.own + crowded[:, 0], others=queries.others + crowded)
    curve = learn({"crowded": moved}).calibration.scene.first
    assert curve.weights[2] > 0
    near, far = features(np.array([[0.8, 0.78], [0.8, 0.5]]))[:, 0]
    assert curve(near[None])[0] < curve(far[None])[0]


def test_an_image_on_a_plain_background_uses_the_curve_of_such_images() -> None:
    plain, scene = made_up(60, 1), made_up(60, 2)
    higher = replace(plain, own=plain.own + 0.2, others=plain.others + 0.2, plain=np.ones(len(plain), bool))
    learned = learn({"plain": higher, "scene": scene}).calibration
    scores = np.array([[0.8, 0.6, 0.5]] * 2)
    on_plain, in_scene = learned.probabilities(scores, MIXED)[:, 0]
    assert on_plain < 0.5 < in_scene


def test_too_few_images_on_a_plain_background_use_the_curve_of_all() -> None:
    queries = made_up(60, 1)
    some = learn({"some": replace(queries, plain=queries.products < 29)}).calibration
    assert some.plain == learn({"none": queries}).calibration.scene
    assert some.scene != some.plain


def test_too_few_products_are_refused() -> None:
    with pytest.raises(CalibrationError, match="29 products have an image to query with, and at least 30 are needed"):
        learn({"few": made_up(29, 1)})
