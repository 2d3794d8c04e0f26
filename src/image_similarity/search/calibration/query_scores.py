"""Queries whose answers are known, each asked twice: of a catalogue that has its product, and of one that has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

DEPTH = 10  # products of an answer that are looked at
FEATURES = ("score", "margin", "level")


@dataclass(frozen=True, slots=True)
class QueryScores:
    """Images that asked, and what the products scored.

    Attributes:
        products: ``(n,)``, whose each image is, by number.
        own: ``(n,)``, the score of its own product.
        others: ``(n, depth)``, the scores of the best other products, best first; ``depth`` at least 1.
        plain: ``(n,)``, whether each stands on a plain ground.
        weights: ``(n,)``, how much each counts.
    """

    products: NDArray[np.intp]
    own: Doubles
    others: Doubles
    plain: NDArray[np.bool_]
    weights: Doubles

    def __len__(self) -> int:
        return len(self.products)

    def of(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> QueryScores:
        return QueryScores(*(getattr(self, name)[chosen] for name in self.__slots__))

    @classmethod
    def concatenated(cls, parts: Sequence[QueryScores]) -> QueryScores:
        """The queries of all parts, one after the other; there is at least one part."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__slots__))

    def answers(self, known: float) -> Answers:
        """All answers, with and without the own product.

        Args:
            known: the share of photos whose product is in the catalogue, 0..1: how much the answers with it weigh.
        """
        merged = np.concatenate([self.others, self.own[:, None]], axis=1)
        # Stable: of equal scores the own product stands last, so that luck is not taken for knowledge.
        order = np.argsort(-merged, axis=1, kind="stable")[:, : self.others.shape[1]]
        right = order == self.others.shape[1]
        return Answers(
            products=np.concatenate([self.products, self.products]),
            known=np.arange(2 * len(self)) < len(self),
            scores=np.concatenate([np.take_along_axis(merged, order, axis=1), self.others]),
            right=np.concatenate([right, np.zeros_like(right)]),
            plain=np.concatenate([self.plain, self.plain]),
            weights=np.concatenate([known * self.weights, (1 - known) * self.weights]) * 2,
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered: a line a query, its products best first.

    Attributes:
        products: ``(m,)``, whose each query is.
        known: ``(m,)``, whether its product could be found at all.
        scores: ``(m, depth)``.
        right: ``(m, depth)``, which product is the very one; at most one of a line.
        plain, weights: ``(m,)``.
    """

    products: NDArray[np.intp]
    known: NDArray[np.bool_]
    scores: Doubles
    right: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    weights: Doubles


def balanced(parts: list[QueryScores]) -> QueryScores:
    """The queries of several kinds, each kind weighing as much as any other."""
    depth = min(part.others.shape[1] for part in parts)
    total = sum(len(part) for part in parts)
    return QueryScores(
        np.concatenate([part.products for part in parts]),
        np.concatenate([part.own for part in parts]),
        np.concatenate([part.others[:, :depth] for part in parts]),
        np.concatenate([part.plain for part in parts]),
        np.concatenate([part.weights * (total / len(parts) / part.weights.sum()) for part in parts]),
    )


def features(scores: Doubles) -> Doubles:
    """What tells a match from a look-alike, ``(m, depth, 3)``, in the order of :data:`FEATURES`.

    The score itself; how far the product is ahead of the best other (above 0 for the first, below for all others, 0
    where there is no other); and the answer's general level, the mean score of all but the first: a poor photo scores
    less with everything.

    Args:
        scores: ``(m, depth)``, best first.
    """
    first, rest = scores[:, :1], scores[:, 1:] if scores.shape[1] > 1 else scores
    rival = np.repeat(first, scores.shape[1], axis=1)
    rival[:, :1] = rest[:, :1]
    level = np.broadcast_to(rest.mean(axis=1, keepdims=True), scores.shape)
    return np.stack([scores, scores - rival, level], axis=-1)
