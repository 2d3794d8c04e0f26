"""Cross-validation folds and bootstrap confidence intervals, both over whole products.

Images of one product are alike and so are their results, so products are split and resampled, never single queries (a
cluster bootstrap: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8). The same draws
serve every column, which makes differences paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

DRAWN_AT_ONCE = 4_000_000  # products in memory


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Settings of the bootstrap: the number of resamples, the seed, and the share that an interval covers."""

    draws: int = 2000
    seed: int = 0
    coverage: float = 0.95


STANDARD = Bootstrap()


@dataclass(frozen=True, slots=True)
class Estimate(Record):
    """A mean with its bootstrap 95% interval over products."""

    value: float
    low: float
    high: float


def folds(
    groups: NDArray[np.intp], count: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training rows and test rows, ``count`` times. A group is never in both; each is tested once.

    Args:
        groups: ``(n,)``, numbered from 0.
        count: the number of folds.
        random: the generator that splits the groups.
    """
    shuffled = random.permutation(int(groups.max()) + 1)
    for part in np.array_split(shuffled, count):
        tested = np.isin(groups, part)
        yield np.flatnonzero(~tested), np.flatnonzero(tested)


def intervals(
    values: Doubles, products: NDArray[np.integer], bootstrap: Bootstrap = STANDARD
) -> tuple[Doubles, Doubles]:
    """The means of columns over queries, with percentile intervals over products.

    To compare two models, pass the differences of their values, query by query, as a column.

    Args:
        values: ``(queries, columns)``.
        products: ``(queries,)``, the product of each query; any numbers.
        bootstrap: its settings.

    Returns:
        The means ``(columns,)`` and the intervals' ends ``(2, columns)``. With one product alone, an interval has no
        width.
    """
    _, own = np.unique(products, return_inverse=True)
    sums: Doubles = np.column_stack([np.bincount(own, column) for column in values.T])
    return values.mean(axis=0), interval_ends(sums, np.bincount(own), bootstrap)


def interval_ends(sums: Doubles, counts: NDArray[Any], bootstrap: Bootstrap = STANDARD) -> Doubles:
    """The ends ``(2, columns)`` of percentile intervals of means, from each product's sums and number of queries.

    Args:
        sums: ``(products, columns)``.
        counts: ``(products,)``.
        bootstrap: its settings.
    """
    drawn = _resampled(np.column_stack([sums, counts]), bootstrap)
    tail = 50 * (1 - bootstrap.coverage)
    ends: Doubles = np.percentile(drawn[:, :-1] / drawn[:, -1:], [tail, 100 - tail], axis=0)
    return ends


def _resampled(table: Doubles, bootstrap: Bootstrap) -> Doubles:
    """The sums of ``(products, columns)`` over as many products, drawn with replacement: ``(draws, columns)``."""
    random = np.random.default_rng(bootstrap.seed)
    products = len(table)
    at_once = max(1, DRAWN_AT_ONCE // products)
    sums = []
    for done in range(0, bootstrap.draws, at_once):
        draws = min(at_once, bootstrap.draws - done)
        chosen = random.integers(0, products, (draws, products))
        chosen += np.arange(draws)[:, None] * products
        times = np.bincount(chosen.ravel(), minlength=draws * products).reshape(draws, products)
        sums.append(times @ table)
    return np.concatenate(sums)
