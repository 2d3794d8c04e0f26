"""Two models side by side before one takes the other's place: which products would show others than before."""

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
TOLD = 500  # products between two words of progress


@dataclass(frozen=True, slots=True)
class Change:
    """One product with its most similar products under both models. ``overlap``: the share that is the same."""

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
        products: that both have answers for.
        only_old, only_new: products that one of them has no answer for.
        overlap: the mean share of products that are among the most similar under both.
        same_first: the share of products whose most similar product is the same.
        histogram: how many products have an overlap of 0 to 0.1, of 0.1 to 0.2 ... of 0.9 to 1.
        changed: the products that change most, most first.
        evaluation: both put to the same queries, as far as stored features can answer; None: they cannot be, because
            of ``not_evaluated``.
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
        """Of the products that change, their ids without texts."""
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
    """Compare two models' recommendations, product by product; memory does not grow with them, but for the ids.

    Raises:
        NotFittedError: the dataset is not fitted with one of the models, or they have no product in common.
        UsageError, ModelError: there is no such model.
    """
    number = options.number
    with recommendations(dataset, settings) as (store, database):
        keys = [_key(model, store, dataset, settings) for model in models]
        former, latter = (store.of(key) for key in keys)
        known, other = former.products(), set(latter.products())
        both = [product for product in known if product in other]
        if not both:
            raise NotFittedError(
                f"{keys[0]} and {keys[1]} have recommendations of no product in common: fit both again"
            )
        tally, most = _Tally(), list[tuple[float, str]]()
        for done, product in enumerate(both, start=1):
            sides = [_ids(side.similar(product)[:number]) for side in (former, latter)]
            share = tally.add(*sides)
            # The largest go first: of equal ones those that come first by id stay.
            heapq.heappush(most, (-share, _Backwards(product)))
            if len(most) > options.shown:
                heapq.heappop(most)
            if not done % TOLD or done == len(both):
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
        only_old=len(known) - len(both),
        only_new=len(other) - len(both),
        overlap=tally.overlap / len(both),
        same_first=tally.same_first / len(both),
        histogram=tuple(tally.histogram),
        changed=changed,
        evaluation=evaluation,
        not_evaluated=not_evaluated,
    )


def _answer(side: Recommendations, product: str, number: int, show: Callable[..., list[ShownProduct]]) -> Answer:
    """A product with its most similar products as people see them, with texts and images."""
    matches = side.similar(product)[:number]
    query, *shown = show([(product, ""), *((match.product_id, match.image_id) for match in matches)])
    return Answer(query, matches, shown)


def _evaluated(
    dataset: Dataset, settings: Settings, models: Sequence[ModelChoice], progress: Progress
) -> tuple[Evaluation | None, str]:
    """Both models put to the same queries; or why they cannot be."""
    try:
        return evaluate(dataset, settings, models, EvaluateOptions(stored_only=True), progress), ""
    except NotFittedError as error:  # no product with two images, other images, features that have gone
        return None, str(error)


class _Tally:
    """Sums over products."""

    def __init__(self) -> None:
        self.overlap = 0.0
        self.same_first = 0
        self.histogram = [0] * TENTHS

    def add(self, old: list[str], new: list[str]) -> float:
        """One product's answers; the share that is the same: of the longer one, 1 where both are empty."""
        longer = max(len(old), len(new))
        share = len(set(old) & set(new)) / longer if longer else 1.0
        self.overlap += share
        self.same_first += old[:1] == new[:1]
        self.histogram[min(int(share * TENTHS), TENTHS - 1)] += 1
        return share


class _Backwards(str):
    """A text that sorts from z to a."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _key(model: ModelChoice, store: RecommendationStore, dataset: Dataset, settings: Settings) -> str:
    asked = model_with_recommendations(model, store, dataset, settings)
    if not store.has(asked.key):
        raise NotFittedError(f"{dataset.name} is not fitted with {asked.name}: run fit with that model first")
    return asked.key


def _ids(matches: Sequence[ProductMatch]) -> list[str]:
    return [match.product_id for match in matches]
