"""Measures and intervals against scikit-learn, SciPy and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from image_similarity.quality.evaluation.metrics import METRICS, Ranks, measure
from image_similarity.util.statistics import Bootstrap, intervals


def ranks_of(relevance: list[list[bool]]) -> Ranks:
    """Ranks out of whole rankings: for each query, whether each answer is right, best first."""
    found = [np.flatnonzero(line) for line in relevance]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in found])])
    return Ranks(starts.astype(np.intp), np.concatenate(found).astype(np.int64))


def table(relevance: list[list[bool]]) -> dict[str, NDArray[np.float64]]:
    return dict(zip(METRICS, measure(ranks_of(relevance)).T, strict=True))


RANKINGS = st.lists(st.lists(st.booleans(), min_size=1, max_size=30).filter(any), min_size=1, max_size=8)


def test_one_query_by_hand() -> None:
    # Right at places 1, 3 and 6, R = 3: the precisions at places 1 and 3 count, 1/1 and 2/3; that at 6 is past R.
    values = table([[True, False, True, False, False, True]])
    assert values["r_at_1"] == 1
    assert values["map_at_r"] == pytest.approx((1 + 2 / 3) / 3)
    assert values["mrr"] == 1
    later = table([[False] * 5 + [True] + [False] * 9])
    assert [float(later[name][0]) for name in METRICS] == pytest.approx([0, 0, 1, 0, 1 / 6])


@given(RANKINGS)
def test_average_precision_at_r_is_scikit_learns_of_the_first_r(relevance: list[list[bool]]) -> None:
    from sklearn.metrics import average_precision_score

    for line, ours in zip(relevance, table(relevance)["map_at_r"], strict=True):
        right = sum(line)
        cut = line[:right]
        theirs = average_precision_score(cut, -np.arange(right)) * sum(cut) / right if any(cut) else 0.0
        assert ours == pytest.approx(theirs)


@given(RANKINGS)
def test_the_reciprocal_rank_is_scikit_learns_with_the_first_right_answer_alone(relevance: list[list[bool]]) -> None:
    from sklearn.metrics import label_ranking_average_precision_score

    for line, ours in zip(relevance, table(relevance)["mrr"], strict=True):
        alone = np.zeros(len(line) + 1, bool)  # one more, or scikit-learn takes a line of one label for no ranking
        alone[line.index(True)] = True
        assert ours == pytest.approx(label_ranking_average_precision_score([alone], [-np.arange(len(alone))]))


@given(RANKINGS)
def test_recall_is_scikit_learns_top_k_accuracy(relevance: list[list[bool]]) -> None:
    from sklearn.metrics import top_k_accuracy_score

    width = max(max(map(len, relevance)), 12)
    scores = np.tile(-np.arange(width, dtype=float), (len(relevance), 1))
    firsts = [line.index(True) for line in relevance]
    values = table(relevance)
    for depth in (1, 5, 10):
        theirs = top_k_accuracy_score(firsts, scores, k=depth, labels=range(width))
        assert values[f"r_at_{depth}"].mean() == pytest.approx(theirs)


@given(RANKINGS)
def test_measures_are_shares_and_grow_with_depth(relevance: list[list[bool]]) -> None:
    values = table(relevance)
    assert all(((column >= 0) & (column <= 1)).all() for column in values.values())
    assert (values["r_at_1"] <= values["r_at_5"]).all()
    assert (values["r_at_5"] <= values["r_at_10"]).all()
    assert (values["r_at_1"] <= values["mrr"]).all()


@given(st.lists(st.booleans(), min_size=2, max_size=20).filter(any), st.data())
def test_a_better_place_for_a_right_answer_never_lowers_a_measure(line: list[bool], data: st.DataObject) -> None:
    at = data.draw(st.integers(1, len(line) - 1))
    better = list(line)
    if line[at] and not line[at - 1]:
        better[at - 1], better[at] = True, False
    assert (measure(ranks_of([better])) >= measure(ranks_of([line])) - 1e-12).all()


def test_an_interval_is_scipys_if_each_product_has_one_query() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap  # type: ignore[import-untyped]

    values = np.random.default_rng(3).random(60)
    mean, ends = intervals(values[:, None], np.arange(60), Bootstrap(draws=20_000))
    theirs = scipy_bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert mean[0] == values.mean()
    assert ends[:, 0] == pytest.approx([theirs.low, theirs.high], abs=0.003)


def test_queries_of_one_product_are_drawn_together() -> None:
    right = np.random.default_rng(5).random(50) < 0.5
    once = right[:, None].astype(float)
    often = np.repeat(right, 20)[:, None].astype(float)
    _, of_once = intervals(once, np.arange(50))
    _, of_often = intervals(often, np.repeat(np.arange(50), 20))
    assert of_often == pytest.approx(of_once)  # twenty like queries of a product are no more proof than one


def test_the_interval_of_a_difference_is_paired() -> None:
    random = np.random.default_rng(8)
    hard = random.random(200)
    first, second = (hard < 0.5).astype(float), (hard < 0.55).astype(float)
    values = np.column_stack([first, second, second - first])
    means, ends = intervals(values, np.arange(200))
    assert means[2] == pytest.approx(means[1] - means[0])
    widths = ends[1] - ends[0]
    assert widths[2] < widths[0] / 2  # what is hard for one is hard for the other
    _, same = intervals(np.zeros((200, 1)), np.arange(200))
    assert same.tolist() == [[0.0], [0.0]]


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=40), st.integers(0, 99))
def test_intervals_hold_to_the_range_and_repeat(queries: list[tuple[float, int]], seed: int) -> None:
    values, products = np.array([[v] for v, _ in queries]), np.array([p for _, p in queries])
    bootstrap = Bootstrap(draws=200, seed=seed)
    mean, ends = intervals(values, products, bootstrap)
    assert values.min() - 1e-12 <= ends[0, 0] <= ends[1, 0] <= values.max() + 1e-12
    again, ends_again = intervals(values, products, bootstrap)
    assert mean == again
    assert (ends == ends_again).all()
