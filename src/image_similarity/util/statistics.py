"""How sure a figure is: parts of a catalogue that are left out, and the bootstrap, both over whole products.

Images of one product are alike and so are their answers, so products are parted and drawn, never single queries (a
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

CELLS = 4_000_000  # drawn products in memory at a time


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How to draw: how often, from which seed, and the share that an interval covers."""

    draws: int = 2000
    seed: int = 0
    coverage: float = 0.95


STANDARD = Bootstrap()


@dataclass(frozen=True, slots=True)
class Estimate(Record):
    """A figure with its bootstrap 95% interval over products."""

    value: float
    low: float
    high: float


def folds(
    groups: NDArray[np.intp], count: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to learn from and rows to ask among, ``count`` times. No group has rows in both; each is asked once.

    Args:
        groups: ``(n,)``, numbered from 0.
        count: how many folds.
        random: parts the groups.
    """
    shuffled = random.permutation(int(groups.max()) + 1)
    for part in np.array_split(shuffled, count):
        asked = np.isin(groups, part)
        yield np.flatnonzero(~asked), np.flatnonzero(asked)


def intervals(
    values: Doubles, products: NDArray[np.integer], bootstrap: Bootstrap = STANDARD
) -> tuple[Doubles, Doubles]:
    """The means of columns over queries, with percentile intervals over products.

    A difference of two models is a column too: the difference of their values, query by query.

    Args:
        values: ``(queries, columns)``.
        products: ``(queries,)``, whose each query is; any numbers.
        bootstrap: how to draw.

    Returns:
        The means ``(columns,)`` and the intervals' ends ``(2, columns)``. One product alone gives an interval of no
        width: nothing is known of others.
    """
    _, own = np.unique(products, return_inverse=True)
    sums: Doubles = np.column_stack([np.bincount(own, column) for column in values.T])
    return values.mean(axis=0), interval_ends(sums, np.bincount(own), bootstrap)


def interval_ends(sums: Doubles, counts: NDArray[Any], bootstrap: Bootstrap = STANDARD) -> Doubles:
    """The ends ``(2, columns)`` of percentile intervals of means, from each product's sums and number of queries.

    Args:
        sums: ``(products, columns)``.
        counts: ``(products,)``.
        bootstrap: how to draw.
    """
    drawn = _resampled(np.column_stack([sums, counts]), bootstrap)
    tail = 50 * (1 - bootstrap.coverage)
    ends: Doubles = np.percentile(drawn[:, :-1] / drawn[:, -1:], [tail, 100 - tail], axis=0)
    return ends


def _resampled(table: Doubles, bootstrap: Bootstrap) -> Doubles:
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
