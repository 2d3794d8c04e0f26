"""Compare two models before switching: how the recommendations of each product would change."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from image_similarity.errors import NotFittedError
from image_similarity.options import EvaluateOptions
from image_similarity.quality.evaluation.job import evaluate
from image_similarity.search import Answer, model_with_recommendations, recommendations, show_products
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, RecommendationStore
from image_similarity.util.plain_values import Record, fields_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from image_similarity.dataset import Dataset
    from image_similarity.options import CompareOptions, ModelChoice
    from image_similarity.quality.evaluation.report import Evaluation
    from image_similarity.search import ShownProduct
    from image_similarity.settings import Settings
    from image_similarity.store import Recommendations
    from image_similarity.types import Product, ProductMatch, Progress

TENTHS = 10
PROGRESS_EVERY = 500  # products


@dataclass(frozen=True, slots=True)
class Change:
    """A product with its most similar products under both models. ``overlap``: the share of them in common."""

    overlap: float
    old: Answer
    new: Answer

    @property
    def product(self) -> Product:
        return self.old.query.product


@dataclass(frozen=True, slots=True)
class Comparison(Record):
    """How the answers of two models differ.

    Attributes:
        dataset: its name.
        old_key, new_key: of the models.
        number: of the most similar products that were compared.
        products: with recommendations of both models.
        only_old, only_new: products with recommendations of one model only.
        overlap: the mean share of most similar products in common.
        same_first: the share of products whose most similar product is the same.
        histogram: how many products have an overlap of 0 to 0.1, of 0.1 to 0.2 ... of 0.9 to 1.
        changed: the products that change most, in descending order.
        evaluation: of both models on the same queries, with stored features only; None for the reason in
            ``not_evaluated``.
    """

    dataset: str
    old_key: str
    new_key: str
    number: int
    products: int
    only_old: int
    only_new: int
    overlap: float
    same_first: float
    histogram: tuple[int, ...]
    changed: Sequence[Change]
    evaluation: Evaluation | None = None
    not_evaluated: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The changed products with the ids of their matches, without images."""
        changed = [
            {"product_id": change.product.product_id, "title": change.product.title, "overlap": change.overlap}
            | {"old": _ids(change.old.matches), "new": _ids(change.new.matches)}
            for change in self.changed
        ]
        rest = fields_of(self, without=("changed", "evaluation"))
        return rest | {"changed": changed, "evaluation": plain(self.evaluation)}


def compare(
    dataset: Dataset,
    settings: Settings,
    models: tuple[ModelChoice, ModelChoice],
    options: CompareOptions,
    progress: Progress,
) -> Comparison:
    """Compare two models' recommendations, one product at a time; memory grows only with the product ids.

    Raises:
        NotFittedError: the dataset is not fitted with one of the models, or they have no product in common.
        UsageError, ModelError: there is no such model.
    """
    number = options.number
    with recommendations(dataset, settings) as (store, database):
        keys = [_key(model, store, dataset, settings) for model in models]
        former, latter = (store.of(key) for key in keys)
        old_products, new_products = former.products(), set(latter.products())
        both = [product for product in old_products if product in new_products]
        if not both:
            raise NotFittedError(
                f"{keys[0]} and {keys[1]} have recommendations of no product in common: fit both again"
            )
        tally, most = _Tally(), list[tuple[float, str]]()
        for done, product in enumerate(both, start=1):
            sides = [_ids(side.similar(product)[:number]) for side in (former, latter)]
            share = tally.add(*sides)
            # A heap of the smallest overlaps, largest on top; of equal ones the smallest ids stay.
            heapq.heappush(most, (-share, _ReverseOrder(product)))
            if len(most) > options.shown:
                heapq.heappop(most)
            if not done % PROGRESS_EVERY or done == len(both):
                progress("compared", done, len(both))
        changes = [(-share, str(product)) for share, product in sorted(most, reverse=True)]
        folder = Folders(settings.root).images(dataset)
        show = partial(show_products, CatalogueRecords(database) if database else None, folder)
        changed = [
            Change(share, *(_answer(side, product, number, show) for side in (former, latter)))
            for share, product in changes
        ]
    evaluation, not_evaluated = _evaluated(dataset, settings, models, progress)
    return Comparison(
        dataset=dataset.name,
        old_key=keys[0],
        new_key=keys[1],
        number=number,
        products=len(both),
        only_old=len(old_products) - len(both),
        only_new=len(new_products) - len(both),
        overlap=tally.overlap / len(both),
        same_first=tally.same_first / len(both),
        histogram=tuple(tally.histogram),
        changed=changed,
        evaluation=evaluation,
        not_evaluated=not_evaluated,
    )


def _answer(side: Recommendations, product: str, number: int, show: Callable[..., list[ShownProduct]]) -> Answer:
    """A product with its most similar products, their texts and images."""
    matches = side.similar(product)[:number]
    query, *shown = show([(product, ""), *((match.product_id, match.image_id) for match in matches)])
    return Answer(query, matches, shown)


def _evaluated(
    dataset: Dataset, settings: Settings, models: Sequence[ModelChoice], progress: Progress
) -> tuple[Evaluation | None, str]:
    """Evaluate both models on the same queries; or the reason why they cannot be."""
    try:
        return evaluate(dataset, settings, models, EvaluateOptions(stored_only=True), progress), ""
    except NotFittedError as error:  # no product with two images, other images, features that were removed
        return None, str(error)


class _Tally:
    """Sums over products."""

    def __init__(self) -> None:
        self.overlap = 0.0
        self.same_first = 0
        self.histogram = [0] * TENTHS

    def add(self, old: list[str], new: list[str]) -> float:
        """Count one product; returns the share in common, of the longer list. It is 1 if both are empty."""
        longer = max(len(old), len(new))
        share = len(set(old) & set(new)) / longer if longer else 1.0
        self.overlap += share
        self.same_first += old[:1] == new[:1]
        self.histogram[min(int(share * TENTHS), TENTHS - 1)] += 1
        return share


class _ReverseOrder(str):
    """A text that sorts in descending order."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _key(model: ModelChoice, store: RecommendationStore, dataset: Dataset, settings: Settings) -> str:
    resolved = model_with_recommendations(model, store, dataset, settings)
    if not store.has(resolved.key):
        raise NotFittedError(f"{dataset.name} is not fitted with {resolved.name}: run fit with that model first")
    return resolved.key


def _ids(matches: Sequence[ProductMatch]) -> list[str]:
    return [match.product_id for match in matches]
