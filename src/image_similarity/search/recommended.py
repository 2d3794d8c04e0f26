"""The products most similar to one, as the latest fit wrote them down: looked up, not ranked anew."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from image_similarity.models import resolve
from image_similarity.search.answer import Answer, show_products
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, Database, RecommendationStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from image_similarity.dataset import Dataset
    from image_similarity.models import Model
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings


def look_up(
    dataset: Dataset, settings: Settings, product_id: str | None, model: ModelChoice, number: int | None
) -> Answer:
    """A product's recommendations.

    Args:
        dataset: a fitted dataset.
        settings: where the workspace is.
        product_id: None picks one by chance.
        model: whose recommendations.
        number: at most so many; None: all that were written.

    Raises:
        NotFittedError: there are no recommendations of the model.
        UsageError: there is no such product; the message has the nearest ids by spelling.
    """
    with recommendations(dataset, settings) as (store, database):
        kept = store.of(model_with_recommendations(model, store, dataset, settings).key)
        if product_id is None:
            product_id = kept.random_product()
        matches = kept.similar(product_id)[:number]
        records = CatalogueRecords(database) if database else None
        wanted = [(product_id, ""), *((match.product_id, "") for match in matches)]
        query, *shown = show_products(records, Folders(settings.root).images(dataset), wanted)
        return Answer(query, matches, shown)


@contextmanager
def recommendations(dataset: Dataset, settings: Settings) -> Iterator[tuple[RecommendationStore, Database | None]]:
    """A dataset's recommendations, and the store, in one state; those of the first version's may come without one."""
    folders = Folders(settings.root)
    with Database.open_if_fitted(folders.database, dataset, settings.lock_timeout) as database:
        yield RecommendationStore(database, folders.trained_models, dataset), database


def model_with_recommendations(
    model: ModelChoice, store: RecommendationStore, dataset: Dataset, settings: Settings
) -> Model:
    """What a model's name means where recommendations are looked up.

    Raises:
        UsageError, ModelError: there is no such model.
    """
    return resolve(model, dataset, settings, lambda each: store.has(each.key))
