"""Models side by side, the worst failures, and thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from image_similarity.errors import UsageError
from image_similarity.quality.evaluation.candidates import label
from image_similarity.quality.evaluation.metrics import METRICS
from image_similarity.quality.evaluation.photos import photo_seed
from image_similarity.quality.evaluation.protocols import Outcome
from image_similarity.quality.evaluation.results import Result, side_by_side, worst_queries
from image_similarity.quality.evaluation.thresholds import Threshold, below_thresholds, parse_threshold
from image_similarity.util.sampling import spread_over_products
from image_similarity.util.statistics import Estimate, intervals


def outcome(seed: int, queries: int = 60) -> Outcome:
    random = np.random.default_rng(seed)
    numbers = np.arange(queries)
    values = random.random((queries, len(METRICS)))
    return Outcome(numbers, numbers // 3, values, random.integers(0, 9, queries), numbers, numbers)


def result(model: str, protocol: str, r_at_1: float) -> Result:
    estimates = {metric: Estimate(0.5, 0.4, 0.6) for metric in METRICS} | {"r_at_1": Estimate(r_at_1, 0.0, 1.0)}
    return Result(protocol, protocol, model, model, 10, 5, estimates, None)


def test_differences_are_paired_and_of_the_same_draws() -> None:
    sides = [outcome(seed) for seed in (1, 2, 3)]
    (first, none), (second, change), _ = side_by_side(sides)
    assert none is None
    assert change is not None
    means, ends = intervals(sides[1].values - sides[0].values, sides[0].products)
    for metric, mean, low, high in zip(METRICS, means, *ends, strict=True):
        assert (change[metric].value, change[metric].low, change[metric].high) == pytest.approx((mean, low, high))
        assert second[metric].value - first[metric].value == pytest.approx(mean)
    (same, zero) = side_by_side([sides[0], sides[0]])[1]
    assert same == first
    assert zero == dict.fromkeys(METRICS, Estimate(0.0, 0.0, 0.0))


def test_the_worst_are_one_of_each_product_and_never_a_success() -> None:
    first = np.array([0, 7, 9, 0, 0, 0, 2, 9, 1])
    numbers = np.arange(9)
    outcome = Outcome(numbers, numbers // 3, np.zeros((9, 5)), first, numbers, numbers)
    assert worst_queries(outcome, 5) == [2, 7]  # the middle product answered every query
    assert worst_queries(outcome, 1) == [2]
    assert worst_queries(outcome, 0) == []


@pytest.mark.parametrize(
    ("text", "bar"),
    [
        ("R@1=0.7", Threshold(None, "r_at_1", 0.7)),
        ("r_at_10 = 1", Threshold(None, "r_at_10", 1.0)),
        ("leave-attribute-out:map@r=.25", Threshold("leave-attribute-out", "map_at_r", 0.25)),
        ("picks: MRR=0", Threshold("picks", "mrr", 0.0)),
    ],
)
def test_a_bar_is_a_metric_and_a_value(text: str, bar: Threshold) -> None:
    assert parse_threshold(text) == bar


@pytest.mark.parametrize(
    "text", ["", "R@1", "R@1=", "R@2=0.5", "R@1=high", "R@1=nan", "R@1=70", "two:R@1=0.5", ":R@1=1=2"]
)
def test_what_is_no_bar_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a threshold: write it as \[protocol:\]metric=value, as R@1=0.7"):
        parse_threshold(text)


def test_every_model_has_to_reach_a_bar() -> None:
    found = [result("a", "leave-one-out", 0.7), result("b", "leave-one-out", 0.6), result("a", "picks", 0.1)]
    assert below_thresholds([parse_threshold("R@1=0.6")], found) == []
    assert below_thresholds([parse_threshold("R@1=0.7")], found) == [
        "R@1 of b under leave-one-out is 0.6000, below 0.7"
    ]
    assert below_thresholds([parse_threshold("picks:R@1=0.2"), parse_threshold("MRR=0.5")], found) == [
        "R@1 of a under picks is 0.1000, below 0.2"
    ]
    with pytest.raises(
        UsageError, match="a threshold for photos, which was not measured; measured: leave-one-out, picks"
    ):
        below_thresholds([parse_threshold("photos:R@1=0.2")], found)


def test_a_sample_is_spread_over_products_and_repeats() -> None:
    starts = np.array([0, 1, 4, 9, 10])
    owners = np.repeat(np.arange(4), np.diff(starts))
    for seed in range(5):
        assert sorted(owners[spread_over_products(starts, 4, seed)].tolist()) == [0, 1, 2, 3]
        assert sorted(spread_over_products(starts, 99, seed)) == list(range(10))
        six = spread_over_products(starts, 6, seed)
        assert np.bincount(owners[six]).tolist() == [1, 2, 2, 1]
        assert spread_over_products(starts, 6, seed) == six
    assert spread_over_products(starts, 6, 0) != spread_over_products(starts, 6, 1)
    assert photo_seed(1, "a") == photo_seed(1, "a") != photo_seed(2, "a")


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("colour-shape", "colour-shape"),
        ("../weights/mobilenetv2.toml", "mobilenetv2"),
        ("a/b/net.toml+0.1*colour-shape", "net+0.1*colour-shape"),
        ("/x/net.toml+adapted", "net+adapted"),
        ("C:\\nets\\net.toml", "net"),
    ],
)
def test_a_model_is_shown_by_its_own_name(name: str, short: str) -> None:
    assert label(name) == short
