"""Look up the products most similar to a product in the recommendations of the latest fit."""

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
    """The answer for a product, from its stored recommendations.

    Args:
        dataset: a fitted dataset.
        settings: the settings of its workspace.
        product_id: None: a random product.
        model: the model.
        number: maximum number of products; None: all that the fit wrote.

    Raises:
        NotFittedError: there are no recommendations of the model.
        UsageError: there is no such product; the message suggests ids with a similar spelling.
    """
    with recommendations(dataset, settings) as (store, database):
        kept = store.of(model_with_recommendations(model, store, dataset, settings).key)
        if product_id is None:
            product_id = kept.random_product()
        matches = kept.similar(product_id)[:number]
        records = CatalogueRecords(database) if database else None
        ids = [(product_id, ""), *((match.product_id, "") for match in matches)]
        query, *shown = show_products(records, Folders(settings.root).images(dataset), ids)
        return Answer(query, matches, shown)


@contextmanager
def recommendations(dataset: Dataset, settings: Settings) -> Iterator[tuple[RecommendationStore, Database | None]]:
    """A dataset's recommendations and its store, in one read transaction; a first version's pickle needs no store."""
    folders = Folders(settings.root)
    with Database.open_if_fitted(folders.database, dataset, settings.lock_timeout) as database:
        yield RecommendationStore(database, folders.trained_models, dataset), database


def model_with_recommendations(
    model: ModelChoice, store: RecommendationStore, dataset: Dataset, settings: Settings
) -> Model:
    """Resolve a model; its precision is one that the dataset has recommendations of.

    Raises:
        UsageError, ModelError: there is no such model.
    """
    return resolve(model, dataset, settings, lambda each: store.has(each.key))
