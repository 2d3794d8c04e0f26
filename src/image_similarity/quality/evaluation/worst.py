"""The worst failures of a model, as people want to see them: what asked, what came first, and what was right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.quality.evaluation import names
from image_similarity.quality.evaluation.results import worst
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
    """A query that was not answered first. ``seed`` is what a simulated photo was made with, of ``asked.image``.

    ``first`` stood first and is wrong; ``best`` is the right answer that stood highest, at ``rank`` from 1.
    """

    asked: ShownProduct
    seed: int | None
    first: ShownProduct
    best: ShownProduct
    rank: int

    def as_dict(self) -> dict[str, Any]:
        """Products by their ids and images, without their texts."""
        sides = (("asked", self.asked), ("first", self.first), ("right", self.best))
        shown = {name: {"product_id": each.product.product_id, "image": each.image} for name, each in sides}
        return {"rank": self.rank, "photo_seed": self.seed, **shown}


@dataclass(frozen=True, slots=True)
class ProductCards:
    """Finds the images and the texts of rows and products."""

    records: CatalogueRecords
    folder: Path

    def row(self, side: Candidate, row: int) -> ShownProduct:
        features = side.stored.features
        return self._shown(features.product_ids[row], features.image_ids[row])

    def product(self, side: Candidate, product: int) -> ShownProduct:
        """One product, with its first image."""
        return self._shown(side.stored.grouping.products[product])

    def _shown(self, product_id: str, image_id: str = "") -> ShownProduct:
        (shown,) = show_products(self.records, self.folder, [(product_id, image_id)])
        return shown


def worst_misses(plan: Plan, side: Candidate, outcome: Outcome, count: int, shower: ProductCards) -> list[Miss]:
    """The queries whose right answer stands lowest, at most one of each product, worst first."""
    shown = shower.product if plan.of_products else shower.row
    misses = []
    for query in worst(outcome, count):
        asked, seed = _asked(plan, side, outcome, query, shower)
        first, best = shown(side, int(outcome.top[query])), shown(side, int(outcome.best[query]))
        misses.append(Miss(asked, seed, first, best, int(outcome.first[query]) + 1))
    return misses


def _asked(
    plan: Plan, side: Candidate, outcome: Outcome, query: int, shower: ProductCards
) -> tuple[ShownProduct, int | None]:
    name = int(outcome.names[query])
    if plan.of_products:
        return shower.product(side, name), None
    if plan.protocol.name == names.SIMULATED.name:
        return shower.row(side, plan.photos.rows[name]), plan.photos.seeds[name]
    if plan.protocol.name == names.PHOTOS.name:
        path = plan.photos.paths[name]
        return ShownProduct(Product(path.name), str(path)), None
    return shower.row(side, name), None
