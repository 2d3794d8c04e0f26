"""Rank across two galleries that share no product: the index, and the delta index of what has changed since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from image_similarity.neighbours import Masked
from image_similarity.ranking.aggregate import rank_products

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.options import Aggregate
    from image_similarity.ranking.gallery import Gallery, GalleryQuery
    from image_similarity.types import ProductMatch, RowSet


@dataclass(frozen=True, slots=True)
class GalleryPart:
    """A gallery, and the rows of it that may be found; None: all."""

    gallery: Gallery
    allowed: RowSet | None = None

    def restricted_to(self, passing: RowSet | None) -> GalleryPart:
        """The part with only those of its rows that also pass a filter."""
        if passing is None:
            return self
        if self.allowed is None:
            return replace(self, allowed=passing)
        return replace(self, allowed=Masked(passing.mask() & self.allowed.mask()))


def rank_parts(
    parts: Sequence[GalleryPart], queries: Sequence[Sequence[GalleryQuery]], number: int, aggregate: Aggregate = "best"
) -> list[list[ProductMatch]]:
    """:func:`~image_similarity.ranking.aggregate.rank_products` over all parts together.

    Args:
        parts: no product has allowed rows in two of them.
        queries: for each part, the same queries in the same order: only ``own`` differs.
        number: products per query.
        aggregate: ``best`` or ``mean``; ``votes`` are counted over all images, so they need a single part.
    """
    answers = [
        rank_products(part.gallery, of_part, number, aggregate, part.allowed)
        for part, of_part in zip(parts, queries, strict=True)
    ]
    if len(answers) == 1:
        return answers[0]
    return [
        [replace(match, rank=rank) for rank, match in enumerate(sorted(found, key=_order)[:number], start=1)]
        for found in (sum(of_parts, start=list["ProductMatch"]()) for of_parts in zip(*answers, strict=True))
    ]


def _order(match: ProductMatch) -> tuple[float, str]:
    return -(match.score or 0.0), match.product_id
