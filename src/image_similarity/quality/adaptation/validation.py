"""R@1 of left-out images and of simulated photos, with bootstrap intervals over products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_similarity.util.plain_values import Record
from image_similarity.util.statistics import Bootstrap, Estimate, interval_ends

if TYPE_CHECKING:
    from image_similarity.quality.adaptation.groups import Groups

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Rows = NDArray[np.intp]
BLOCK = 1024  # queries at a time


@dataclass(frozen=True, slots=True)
class Change(Record):
    """R@1 before and after, and the paired difference."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Hits:
    """Per group, ``(groups,)``: the number of its queries, and of those that found their own group first."""

    right: Doubles
    queries: Doubles

    @property
    def share(self) -> float:
        """R@1 over all queries."""
        return float(self.right.sum() / max(self.queries.sum(), 1))

    def __add__(self, other: Hits) -> Hits:
        return Hits(self.right + other.right, self.queries + other.queries)


def leave_one_out(vectors: Floats, groups: Groups, rows: Rows | None = None) -> Hits:
    """Query with rows of groups with several, against all other rows: is the nearest of the same group?

    Args:
        vectors: ``(n, d)``, unit length.
        groups: ``(n,)``.
        rows: the rows to query with; None: all. Those of groups with one row are skipped.
    """
    rows = np.arange(len(vectors)) if rows is None else rows
    rows = rows[np.bincount(groups)[groups[rows]] > 1]
    return _hits(vectors[rows], groups[rows], rows, vectors, groups)


def photo_hits(photos: Floats, sources: Rows, vectors: Floats, groups: Groups) -> Hits:
    """Query with photos of rows: is the nearest row of the same group?

    The row itself does not count, unless it is the only one of its group.

    Args:
        photos: ``(m, d)``, unit length.
        sources: ``(m,)``, the row that each is of.
        vectors: ``(n, d)``, unit length.
        groups: ``(n,)``.
    """
    several = np.bincount(groups)[groups[sources]] > 1
    return _hits(photos, groups[sources], np.where(several, sources, -1), vectors, groups)


def _hits(queries: Floats, owners: Groups, left_out: Rows, vectors: Floats, groups: Groups) -> Hits:
    count = int(groups.max(initial=-1)) + 1
    right = np.zeros(count)
    for start in range(0, len(queries), BLOCK):
        part = slice(start, start + BLOCK)
        scores = queries[part] @ vectors.T
        lines = np.flatnonzero(left_out[part] >= 0)
        scores[lines, left_out[part][lines]] = -np.inf
        right += np.bincount(owners[part], groups[scores.argmax(axis=1)] == owners[part], count)
    return Hits(right, np.bincount(owners, minlength=count).astype(np.float64))


def change(before: Hits, after: Hits, bootstrap: Bootstrap) -> Change:
    """R@1 before and after, and the paired difference, each with a bootstrap interval over groups with queries."""
    asked = before.queries > 0
    columns = [each[asked] for each in (before.right, after.right, after.right - before.right)]
    ends = interval_ends(np.column_stack(columns), before.queries[asked], bootstrap)
    values = [before.share, after.share, after.share - before.share]
    estimates = [Estimate(value, float(low), float(high)) for value, low, high in zip(values, *ends, strict=True)]
    return Change(*estimates)
