"""Seeded random samples: the same on every run."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")


def sample_rows(rows: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """A random sample of at most ``count`` rows, in their order; all rows where they are no more."""
    if len(rows) <= count:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))]


def spread_over_products(starts: NDArray[np.integer], count: int, seed: int) -> list[int]:
    """A random sample of at most ``count`` rows: one of each product, then a second of each, and so on.

    Args:
        starts: ``(products + 1,)``, the first row of each product.
        count: rows.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    products = random.choice(len(starts) - 1, min(int(count), len(starts) - 1), replace=False)
    rows = (random.permutation(np.arange(starts[each], starts[each + 1])).tolist() for each in products)
    return interleaved(rows)[:count]


def interleaved(lists: Iterable[Sequence[T]]) -> list[T]:
    """The first of each list, then the second of each that has one, and so on.

    >>> interleaved([["a", "b"], ["c"], ["d", "e"]])
    ['a', 'c', 'd', 'b', 'e']
    """
    end = object()
    return [each for turn in zip_longest(*lists, fillvalue=end) for each in turn if each is not end]  # type: ignore[misc]


def sample_groups(sizes: NDArray[np.integer], rows: int, random: np.random.Generator) -> NDArray[np.intp]:
    """A random sample of groups with at most ``rows`` rows together, but at least one group; ascending numbers.

    Only groups of several rows are drawn: a single row shows no differences within its group.

    Args:
        sizes: ``(groups,)``, the number of rows of each.
        rows: of all sampled groups together.
        random: the generator to draw from.
    """
    several = random.permutation(np.flatnonzero(sizes > 1))
    return np.sort(several[: max(1, int(np.searchsorted(np.cumsum(sizes[several]), rows, side="right")))])
