"""Does it help things that it has not seen? Cross-validation over products, with bootstrap intervals over products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from image_similarity.quality.adaptation.groups import Groups

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
BLOCK = 1024  # rows that are compared at a time


@dataclass(frozen=True, slots=True)
class Estimate(Record):
    """A figure with its bootstrap 95% interval over products."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Hits:
    """For each group that asked: how many of its rows did, and how many of these found their own group first."""

    right: Doubles
    asked: Doubles

    @property
    def share(self) -> float:
        """R@1 over all rows that asked."""
        return float(self.right.sum() / max(self.asked.sum(), 1))


def folds(
    groups: Groups, count: int, random: np.random.Generator
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to learn from and rows to ask among, ``count`` times. No group has rows in both; each is asked once."""
    shuffled = random.permutation(int(groups.max()) + 1)
    for part in np.array_split(shuffled, count):
        asked = np.isin(groups, part)
        yield np.flatnonzero(~asked), np.flatnonzero(asked)


def leave_one_out(vectors: Floats, groups: Groups) -> Hits:
    """Each row of a group with several asks among all other rows: is the nearest of its own group?

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
    """The hits of all folds."""
    return Hits(np.concatenate([part.right for part in parts]), np.concatenate([part.asked for part in parts]))


def estimates(before: Hits, after: Hits, resamples: int, random: np.random.Generator) -> tuple[Estimate, ...]:
    """R@1 before, after, and the paired difference, each with its interval: percentiles of resampled groups.

    The groups are drawn with replacement (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13).
    """
    count = len(before.asked)
    drawn = random.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)
    asked = drawn @ before.asked
    shares = [drawn @ hits.right / asked for hits in (before, after)]
    values = [before.share, after.share]
    columns = [*zip(values, shares, strict=True), (values[1] - values[0], shares[1] - shares[0])]
    return tuple(Estimate(value, *map(float, np.quantile(drawn, (0.025, 0.975)))) for value, drawn in columns)
