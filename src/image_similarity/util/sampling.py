"""Samples that are the same on every run."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")


def some_of(rows: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """At most ``count`` of some rows by chance, in their order."""
    if len(rows) <= count:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))]


def spread_over_products(starts: NDArray[np.integer], count: int, seed: int) -> list[int]:
    """Rows by chance, spread over products: one of each, then a second, and so on.

    Args:
        starts: ``(products + 1,)``, the first row of each product.
        count: how many rows at most.
        seed: another one gives another sample.
    """
    random = np.random.default_rng(seed)
    products = random.choice(len(starts) - 1, min(count, len(starts) - 1), replace=False)
    return in_turn(random.permutation(np.arange(starts[each], starts[each + 1])).tolist() for each in products)[:count]


def in_turn(lists: Iterable[Sequence[T]]) -> list[T]:
    """The first of each list, then the second of each that has one, and so on.

    >>> in_turn([["a", "b"], ["c"], ["d", "e"]])
    ['a', 'c', 'd', 'b', 'e']
    """
    end = object()
    return [each for turn in zip_longest(*lists, fillvalue=end) for each in turn if each is not end]  # type: ignore[misc]


def whole_groups(sizes: NDArray[np.integer], most: int, random: np.random.Generator) -> NDArray[np.intp]:
    """The numbers of groups by chance, ascending, that have at most ``most`` rows together; one at the least.

    Only groups of several rows: the others say nothing about what differs within one.

    Args:
        sizes: ``(groups,)``, the rows of each.
        most: rows.
        random: chooses.
    """
    several = random.permutation(np.flatnonzero(sizes > 1))
    return np.sort(several[: max(1, int(np.searchsorted(np.cumsum(sizes[several]), most, side="right")))])
