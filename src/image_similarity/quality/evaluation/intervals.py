"""How far a measure, or the difference of two, could be off: the bootstrap over products.

Images of one product are alike and so are their answers, so products are drawn, never single questions (a cluster
bootstrap: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). The same draws serve
every model, which makes differences paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 4_000_000  # drawn products in memory at a time


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How to draw: how often, from which seed, and the share that an interval covers."""

    draws: int = 2000
    seed: int = 0
    coverage: float = 0.95


STANDARD = Bootstrap()


def intervals(
    values: NDArray[np.float64], products: NDArray[np.integer], bootstrap: Bootstrap = STANDARD
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The means of columns over questions, with percentile intervals over products.

    A difference of two models is a column too: the difference of their values, question by question.

    Args:
        values: ``(questions, columns)``.
        products: ``(questions,)``, whose each question is; any numbers.
        bootstrap: how to draw.

    Returns:
        The means ``(columns,)`` and the intervals' ends ``(2, columns)``. One product alone gives an interval of no
        width: nothing is known of others.
    """
    _, own = np.unique(products, return_inverse=True)
    counts = np.bincount(own)
    sums = np.column_stack([np.bincount(own, column) for column in values.T])
    table = np.column_stack([sums, counts])  # (products, columns + 1)
    drawn = _resampled(table, bootstrap)
    tail = 50 * (1 - bootstrap.coverage)
    return values.mean(axis=0), np.percentile(drawn[:, :-1] / drawn[:, -1:], [tail, 100 - tail], axis=0)


def _resampled(table: NDArray[np.float64], bootstrap: Bootstrap) -> NDArray[np.float64]:
    """The sums of ``(products, columns)`` over as many products, drawn with replacement: ``(draws, columns)``."""
    random = np.random.default_rng(bootstrap.seed)
    products = len(table)
    at_once = max(1, CELLS // products)
    sums = []
    for done in range(0, bootstrap.draws, at_once):
        draws = min(at_once, bootstrap.draws - done)
        chosen = random.integers(0, products, (draws, products))
        chosen += np.arange(draws)[:, None] * products
        times = np.bincount(chosen.ravel(), minlength=draws * products).reshape(draws, products)
        sums.append(times @ table)
    return np.concatenate(sums)
