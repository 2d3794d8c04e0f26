"""The products most similar to one, as the latest fit wrote them down: looked up, not ranked anew."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError
from image_similarity.models.resolve import resolve
from image_similarity.search.answer import Answer, show_products
from image_similarity.settings import Folders
from image_similarity.store.database import Database
from image_similarity.store.recommendations import Dictionary
from image_similarity.store.records import CatalogueRecords

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models.model import Model
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
    folders = Folders(settings.root)
    asked = with_recommendations(model, dataset, settings)
    dictionary = Dictionary(folders.trained_models / dataset.dictionary(asked.key))
    if product_id is None:
        product_id = dictionary.by_chance()
    matches = dictionary.similar(product_id)[:number]
    with _database(dataset, settings) as database:
        records = CatalogueRecords(database) if database else None
        wanted = [(product_id, ""), *((match.product_id, "") for match in matches)]
        query, *shown = show_products(records, folders.dataset / dataset.name, wanted)
    return Answer(query, matches, shown)


def with_recommendations(model: ModelChoice, dataset: Dataset, settings: Settings) -> Model:
    """What a model's name means where recommendations are looked up.

    Raises:
        UsageError, ModelError: there is no such model.
    """
    folder = Folders(settings.root).trained_models
    return resolve(model, dataset, settings, lambda each: has_dictionary(folder, dataset, each.key))


def has_dictionary(folder: Path, dataset: Dataset, key: str) -> bool:
    """Whether a dataset has recommendations of a model, by the model's key."""
    return any(folder.joinpath(f"{dataset.dictionary(key)}{ending}").exists() for ending in (".parquet", ".pickle"))


def _database(dataset: Dataset, settings: Settings) -> AbstractContextManager[Database | None]:
    """The store, for texts and pictures; a dictionary of the first version's may come without one."""
    try:
        return Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout)
    except NotFittedError:
        return nullcontext()
