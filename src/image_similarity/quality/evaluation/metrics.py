"""Compute retrieval metrics from the ranks of the right answers, one value per query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

METRICS = ("r_at_1", "r_at_5", "r_at_10", "map_at_r", "mrr")
NAMES = {"r_at_1": "R@1", "r_at_5": "R@5", "r_at_10": "R@10", "map_at_r": "mAP@R", "mrr": "MRR"}
"""Titles of the metrics in tables and pages."""
DEPTHS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks of the right answers in each query's whole ranking.

    Attributes:
        starts: ``(queries + 1,)``: the right answers of query ``i`` are ``ranks[starts[i]:starts[i + 1]]``.
        ranks: ascending within each query, from 0; every right answer has one, so their number is R.
    """

    starts: NDArray[np.intp]
    ranks: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        """``(queries,)``: the rank of the best right answer. Each query has one or more."""
        first: NDArray[np.int64] = self.ranks[self.starts[:-1]]
        return first


def measure(ranks: Ranks) -> NDArray[np.float64]:
    """The metrics of each query, ``(queries, 5)``, in the order of :data:`METRICS`.

    - R@k: 1 if a right answer is among the first k, else 0.
    - mAP@R: with R right answers in all, the precision at each right one among the first R answers, summed and
      divided by R (Musgrave, Belongie and Lim, "A Metric Learning Reality Check", 2020, section 3.2).
    - MRR: the reciprocal rank, from 1, of the first right answer.
    """
    counts = np.diff(ranks.starts)
    query = np.repeat(np.arange(len(counts)), counts)
    right_so_far = np.arange(1, len(ranks.ranks) + 1) - ranks.starts[query]
    precision = np.where(ranks.ranks < counts[query], right_so_far / (ranks.ranks + 1), 0.0)
    average = np.bincount(query, precision, len(counts)) / np.maximum(counts, 1)
    first = ranks.first
    return np.column_stack([*(first < depth for depth in DEPTHS), average, 1 / (first + 1)]).astype(np.float64)
