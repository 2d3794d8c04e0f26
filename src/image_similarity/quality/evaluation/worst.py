"""The worst failures of a model: the query, the first answer and the right one, with images and texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.quality.evaluation import names
from image_similarity.quality.evaluation.results import worst_queries
from image_similarity.search import ShownProduct, show_products
from image_similarity.types import Product
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.quality.evaluation.candidates import Candidate
    from image_similarity.quality.evaluation.plans import Plan
    from image_similarity.quality.evaluation.protocols import Outcome
    from image_similarity.store import CatalogueRecords


@dataclass(frozen=True, slots=True)
class Miss(Record):
    """A query whose first answer is wrong. ``seed`` is that of a simulated photo of ``query.image``, else None.

    ``first`` is the wrong answer at rank 1; ``best`` is the right answer with the best rank, ``rank``, from 1.
    """

    query: ShownProduct
    seed: int | None
    first: ShownProduct
    best: ShownProduct
    rank: int

    def as_dict(self) -> dict[str, Any]:
        """Products by their ids and images, without their texts."""
        sides = (("query", self.query), ("first", self.first), ("right", self.best))
        shown = {name: {"product_id": each.product.product_id, "image": each.image} for name, each in sides}
        return {"rank": self.rank, "photo_seed": self.seed, **shown}


@dataclass(frozen=True, slots=True)
class ProductCards:
    """Looks up the images and the texts of rows and products."""

    records: CatalogueRecords
    folder: Path

    def row(self, candidate: Candidate, row: int) -> ShownProduct:
        features = candidate.stored.features
        return self._shown(features.product_ids[row], features.image_ids[row])

    def product(self, candidate: Candidate, product: int) -> ShownProduct:
        """A product with its first image."""
        return self._shown(candidate.stored.grouping.products[product])

    def _shown(self, product_id: str, image_id: str = "") -> ShownProduct:
        (shown,) = show_products(self.records, self.folder, [(product_id, image_id)])
        return shown


def worst_misses(plan: Plan, candidate: Candidate, outcome: Outcome, count: int, cards: ProductCards) -> list[Miss]:
    """The queries whose first right answer ranks lowest, at most one per product, worst first."""
    shown = cards.product if plan.ranks_products else cards.row
    misses = []
    for query in worst_queries(outcome, count):
        card, seed = _query_card(plan, candidate, int(outcome.numbers[query]), cards)
        first, best = shown(candidate, int(outcome.top[query])), shown(candidate, int(outcome.best[query]))
        misses.append(Miss(card, seed, first, best, int(outcome.first[query]) + 1))
    return misses


def _query_card(plan: Plan, candidate: Candidate, number: int, cards: ProductCards) -> tuple[ShownProduct, int | None]:
    """The query with a row's, photo's or product's number, and the seed if it is a simulated photo."""
    if plan.ranks_products:
        return cards.product(candidate, number), None
    if plan.protocol.name == names.SIMULATED.name:
        return cards.row(candidate, plan.photos.rows[number]), plan.photos.seeds[number]
    if plan.protocol.name == names.PHOTOS.name:
        path = plan.photos.paths[number]
        return ShownProduct(Product(path.name), str(path)), None
    return cards.row(candidate, number), None
