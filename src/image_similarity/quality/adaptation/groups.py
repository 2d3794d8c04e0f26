"""Group rows by product, and by labelled pairs of similar products or rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_similarity.errors import UsageError
from image_similarity.util.sampling import sample_groups

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Groups = NDArray[np.intp]


def grouped(products: Sequence[Any] | NDArray[Any]) -> Groups:
    """Number the products of rows, ``(n,)``, from 0 in the order of their ids."""
    _, numbers = np.unique(np.asarray(products), return_inverse=True)
    return numbers.reshape(-1).astype(np.intp)


def joined(groups: Groups, pairs: Iterable[tuple[int, int]]) -> Groups:
    """Merge the groups that pairs of rows link, directly or through other pairs.

    Raises:
        UsageError: a pair names a row that is not there.
    """
    leader = np.arange(int(groups.max(initial=-1)) + 1)

    def first(group: int) -> int:
        while leader[group] != group:
            leader[group] = leader[leader[group]]
            group = int(leader[group])
        return group

    for left, right in pairs:
        if not (0 <= left < len(groups) and 0 <= right < len(groups)):
            raise UsageError(
                f"the pair ({left}, {right}) names a row that is not there: rows are 0 to {len(groups) - 1}"
            )
        one, other = sorted((first(int(groups[left])), first(int(groups[right]))))
        leader[other] = one
    return grouped(np.array([first(int(group)) for group in groups]))


def pairs_of_products(
    products: Sequence[str], pairs: Iterable[tuple[str, str]]
) -> tuple[list[tuple[int, int]], list[str]]:
    """Translate pairs of product ids to pairs of rows, one row per product; also returns the ids without a row."""
    row = {product: at for at, product in enumerate(products)}
    found, unknown = [], dict[str, None]()
    for pair in pairs:
        missing = [each for each in pair if each not in row]
        unknown |= dict.fromkeys(missing)
        if not missing:
            found.append((row[pair[0]], row[pair[1]]))
    return found, list(unknown)


def with_several(groups: Groups) -> Groups:
    """The numbers of the groups with at least two rows."""
    return np.flatnonzero(np.bincount(groups) > 1).astype(np.intp)


def sample(groups: Groups, most: int, random: np.random.Generator) -> NDArray[np.intp]:
    """At most about ``most`` rows, ascending: those of a random sample of groups with several rows."""
    return np.flatnonzero(np.isin(groups, sample_groups(np.bincount(groups), most, random)))
