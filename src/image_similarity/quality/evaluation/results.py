"""The results of a protocol: metrics with intervals, differences between models, and the worst queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.quality.evaluation.metrics import METRICS
from image_similarity.util.plain_values import Record
from image_similarity.util.statistics import STANDARD, Bootstrap, Estimate, intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from image_similarity.quality.evaluation.protocols import Outcome

Estimates = dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class Result(Record):
    """One model under one protocol.

    ``metrics`` by name (``r_at_1``, ``r_at_5``, ``r_at_10``, ``map_at_r``, ``mrr``); ``difference`` is to the
    first model, query by query, and None for the first itself.
    """

    protocol: str
    title: str
    model: str
    model_key: str
    queries: int
    products: int
    metrics: Mapping[str, Estimate]
    difference: Mapping[str, Estimate] | None


def side_by_side(
    outcomes: Sequence[Outcome], bootstrap: Bootstrap = STANDARD
) -> list[tuple[Estimates, Estimates | None]]:
    """The metrics of each model and their difference to the first, with intervals over the same draws of products.

    Args:
        outcomes: of each model, for the same queries in the same order; at least one query.
        bootstrap: how to draw.
    """
    first = outcomes[0].values
    columns = [outcome.values for outcome in outcomes] + [outcome.values - first for outcome in outcomes[1:]]
    means, ends = intervals(np.column_stack(columns), outcomes[0].products, bootstrap)
    figures = [Estimate(*map(float, each)) for each in zip(means, *ends, strict=True)]
    width = len(METRICS)
    each = [dict(zip(METRICS, figures[at : at + width], strict=True)) for at in range(0, len(figures), width)]
    return list(zip(each[: len(outcomes)], [None, *each[len(outcomes) :]], strict=True))


def worst_queries(outcome: Outcome, count: int) -> list[int]:
    """The positions of the queries whose first right answer ranks lowest, at most one per product, worst first."""
    order = np.lexsort((np.arange(len(outcome.first)), -outcome.first))
    order = order[outcome.first[order] > 0]
    _, once = np.unique(outcome.products[order], return_index=True)
    return [int(query) for query in order[np.sort(once)[:count]]]
