"""Leave-one-out R@1 of held-out products, with bootstrap intervals over products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_similarity.util.statistics import Bootstrap, Estimate, interval_ends

if TYPE_CHECKING:
    from image_similarity.quality.adaptation.groups import Groups

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
BLOCK = 1024  # rows compared at a time


@dataclass(frozen=True, slots=True)
class Hits:
    """Per group, ``(groups,)``: the number of its queries, and of those that found their own group first."""

    right: Doubles
    queries: Doubles

    @property
    def share(self) -> float:
        """R@1 over all queries."""
        return float(self.right.sum() / max(self.queries.sum(), 1))


def leave_one_out(vectors: Floats, groups: Groups) -> Hits:
    """Query with each row of a group with several rows, against all other rows: is the nearest of its own group?

    Args:
        vectors: ``(n, d)``, unit length.
        groups: ``(n,)``.
    """
    counts = np.bincount(groups)
    right = np.zeros(len(counts))
    for start in range(0, len(vectors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(vectors)))
        scores = vectors[rows] @ vectors.T
        scores[np.arange(len(rows)), rows] = -np.inf
        own = groups[scores.argmax(axis=1)] == groups[rows]
        right += np.bincount(groups[rows], own, len(counts))
    several = counts > 1
    return Hits(right[several], counts[several].astype(np.float64))


def joined(parts: list[Hits]) -> Hits:
    """Concatenate the hits of all folds."""
    return Hits(np.concatenate([part.right for part in parts]), np.concatenate([part.queries for part in parts]))


def estimates(before: Hits, after: Hits, bootstrap: Bootstrap) -> tuple[Estimate, ...]:
    """R@1 before and after, and the paired difference, each with a bootstrap interval over groups."""
    columns = [before.right, after.right, after.right - before.right]
    ends = interval_ends(np.column_stack(columns), before.queries, bootstrap)
    values = [before.share, after.share, after.share - before.share]
    return tuple(Estimate(value, float(low), float(high)) for value, low, high in zip(values, *ends, strict=True))
