"""Scores of queries with known answers, each searched twice: with its own product in the catalogue and without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

DEPTH = 10  # products of an answer that are used
FEATURES = ("score", "rival", "lead", "level")
LEAD = 0.03  # cosine: leads far below it count in proportion, those above by their logarithm (docs/notes/quality.md)


@dataclass(frozen=True, slots=True)
class QueryScores:
    """Query images, and the scores of the products.

    Attributes:
        products: ``(n,)``, the number of each image's own product.
        own: ``(n,)``, the score of that product.
        others: ``(n, depth)``, the scores of the best other products, best first; ``depth`` at least 1.
        plain: ``(n,)``, whether each image has a plain background.
    """

    products: NDArray[np.intp]
    own: Doubles
    others: Doubles
    plain: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.products)

    def of(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> QueryScores:
        return QueryScores(*(getattr(self, name)[chosen] for name in self.__slots__))

    @classmethod
    def concatenated(cls, parts: Sequence[QueryScores]) -> QueryScores:
        """The queries of all parts, at least one; as deep as the least deep."""
        depth = min(part.others.shape[1] for part in parts)
        return cls(
            np.concatenate([part.products for part in parts]),
            np.concatenate([part.own for part in parts]),
            np.concatenate([part.others[:, :depth] for part in parts]),
            np.concatenate([part.plain for part in parts]),
        )

    def answers(self, known: float) -> Answers:
        """The answers to all queries, first with the own product in the catalogue, then without.

        Args:
            known: the share of photos whose product is in the catalogue, 0..1: the weight of the answers with it.
        """
        merged = np.concatenate([self.others, self.own[:, None]], axis=1)
        # Stable: of equal scores the own product is last, so that a tie does not count as right.
        order = np.argsort(-merged, axis=1, kind="stable")[:, : self.others.shape[1]]
        right = order == self.others.shape[1]
        return Answers(
            products=np.concatenate([self.products, self.products]),
            known=np.arange(2 * len(self)) < len(self),
            scores=np.concatenate([np.take_along_axis(merged, order, axis=1), self.others]),
            right=np.concatenate([right, np.zeros_like(right)]),
            plain=np.concatenate([self.plain, self.plain]),
            weights=np.repeat([2 * known, 2 * (1 - known)], len(self)),
        )


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to queries: one row per query, its products best first.

    Attributes:
        products: ``(m,)``, the number of each query's own product.
        known: ``(m,)``, whether that product is in the catalogue.
        scores: ``(m, depth)``.
        right: ``(m, depth)``, which product is the own one; at most one per row.
        plain: ``(m,)``, as in :class:`QueryScores`.
        weights: ``(m,)``, the weight of each answer.
    """

    products: NDArray[np.intp]
    known: NDArray[np.bool_]
    scores: Doubles
    right: NDArray[np.bool_]
    plain: NDArray[np.bool_]
    weights: Doubles


def features(scores: Doubles) -> Doubles:
    """The features that calibration uses, ``(m, depth, 4)``, in the order of :data:`FEATURES`.

    ``score``; ``rival``, the best other score (the score itself if there is no other); ``lead``, the score's difference
    from it on a logarithmic scale, negative for all but the first product; ``level``, the mean of all scores but the
    first: a poor photo scores lower with every product.

    Args:
        scores: ``(m, depth)``, best first.
    """
    first, rest = scores[:, :1], scores[:, 1:] if scores.shape[1] > 1 else scores
    rival = np.repeat(first, scores.shape[1], axis=1)
    rival[:, :1] = rest[:, :1]
    margin = scores - rival
    lead = np.sign(margin) * np.log1p(np.abs(margin) / LEAD)
    level = np.broadcast_to(rest.mean(axis=1, keepdims=True), scores.shape)
    return np.stack([scores, rival, lead, level], axis=-1)
