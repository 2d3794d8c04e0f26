"""The products most similar to one, out of the recommendations that a fit wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError, UsageError
from image_similarity.models.table import DEFAULT_CHOICE
from image_similarity.search.answer import Answer, show_product
from image_similarity.search.chosen import chosen_by_dictionary
from image_similarity.settings import Folders
from image_similarity.store.database import Database
from image_similarity.store.recommendations import RecommendationStore
from image_similarity.store.records import CatalogueRecords

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset
    from image_similarity.models.choice import ModelChoice
    from image_similarity.search.part_weights import Like
    from image_similarity.settings import Settings
    from image_similarity.types import ProductMatch


def similar(
    dataset: Dataset,
    settings: Settings,
    product_id: str | None = None,
    *,
    model: ModelChoice = DEFAULT_CHOICE,
    number: int | None = None,
    like: Like | None = None,
) -> Answer:
    """Look a product up.

    Args:
        dataset: a fitted dataset.
        settings: where the workspace is.
        product_id: None picks one by chance.
        model: the model of the recommendations.
        number: at most so many; None: all that were written.
        like: only the shape or only the colour counts: the index is asked, not the recommendations.

    Raises:
        NotFittedError: there are no recommendations of this model.
        UsageError: there is no such product; the message has the nearest ids by spelling. Or ``like`` asks for a part
            that the model has not.
    """
    if number is not None and number < 1:
        raise UsageError(f"`number` must be 1 or more, not {number}")
    folders = Folders(settings.root)
    with Database.one_state_if_fitted(folders.database, dataset, settings.lock_timeout) as database:
        store = RecommendationStore(database, folders.trained_models, dataset)
        recommendations = store.of(chosen_by_dictionary(model, dataset, settings, store.has).key)
        if product_id is None:
            product_id = recommendations.by_chance()
        matches = recommendations.similar(product_id)[:number]
        if like is not None:
            matches = _by_part(dataset, settings, product_id, model, like, number or max(len(matches), 1))
        records = CatalogueRecords(database) if database else None
        folder = folders.dataset / dataset.name
        return Answer(
            query=show_product(records, folder, product_id),
            matches=matches,
            shown=[show_product(records, folder, match.product_id) for match in matches],
        )


def _by_part(
    dataset: Dataset, settings: Settings, product_id: str, model: ModelChoice, like: Like, number: int
) -> list[ProductMatch]:
    """As they were made, by some parts of the vectors. What this needs is imported here: the rest is quick."""
    from bisect import bisect_left

    from image_similarity.images.views import ONE_VIEW
    from image_similarity.ranking.aggregate import rank_products
    from image_similarity.ranking.gallery import Gallery, Question
    from image_similarity.search.chosen import chosen
    from image_similarity.search.part_weights import weighing

    with Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout) as database:
        asked = chosen(model, database, dataset, settings)
        weighed = weighing(like, asked)
        gallery = Gallery.of(asked.index(database, settings, ONE_VIEW))
    product = bisect_left(gallery.products, product_id)
    if product == len(gallery.products) or gallery.products[product] != product_id:
        raise NotFittedError(f"{product_id} has gone from {dataset.name} since the last fit: run fit again")
    its_own = gallery.question(product)
    question = Question(its_own.image_ids, weighed(its_own.vectors), product)
    (matches,) = rank_products(gallery, [question], number, "best")
    return matches
