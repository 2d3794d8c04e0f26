"""How much of a catalogue has changed, from a small sketch of its rows: no list of all ids is kept.

A sketch is the smallest of the rows' hashes. The share of the smallest of both that two sketches have in common
estimates the Jaccard similarity of the two sets (Broder, "On the resemblance and containment of documents", 1997).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIZE = 1000
"""Hashes in a sketch. The estimate's standard error is at most 0.016."""


def sketch_of(identities: NDArray[np.uint64]) -> list[int]:
    """The sketch of an index's rows, ``(rows, 2)``: ascending hashes.

    >>> sketch_of(np.array([[7, 0], [3, 9]], np.uint64))
    [3, 7]
    """
    hashes = np.unique(identities[:, 0])
    return [int(each) for each in hashes[:SIZE]]


def similarity(one: Sequence[int], other: Sequence[int]) -> float:
    """The estimated Jaccard similarity of two catalogues: rows in both, divided by rows in either.

    >>> similarity([1, 2, 3], [2, 3, 4])
    0.5
    """
    smallest, both = sorted({*one, *other})[:SIZE], {*one} & {*other}
    return sum(each in both for each in smallest) / len(smallest) if smallest else 1.0
