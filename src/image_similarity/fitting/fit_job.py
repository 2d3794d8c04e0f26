"""The two halves of a fit: embed a catalogue's images; build the index and write each product's recommendations."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError
from image_similarity.fitting.pipeline import FeaturesRun, LazyModel
from image_similarity.fitting.precision_check import ensure_int8
from image_similarity.fitting.recommendations import prepared_gallery, recall_of, recommendations
from image_similarity.fitting.upsert import delete_orphan_files
from image_similarity.images import views_for
from image_similarity.index import fresh_index, index_folder
from image_similarity.models import resolve
from image_similarity.ranking import Gallery
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore, RecommendationStore, RemovalLimit
from image_similarity.types import Counts, Failure, Progress, no_progress
from image_similarity.util.files import locked, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from image_similarity.catalogue import CatalogueSnapshot
    from image_similarity.dataset import Dataset
    from image_similarity.fitting.precision_check import Int8Check
    from image_similarity.models import Model
    from image_similarity.options import FitOptions
    from image_similarity.settings import Settings


@dataclass(frozen=True, slots=True)
class EmbeddedCatalogue:
    """The first half of a fit: all features are stored, and the dataset's products are those of the catalogue.

    Attributes:
        model: resolved, at the precision of its features.
        counts, failures: of the images.
        overridden: products of the catalogue that keep their upserted state, or were deleted while the fit ran.
        int8: comparison of the int8 network with fp32, if int8 was requested.
    """

    model: Model
    counts: Counts
    failures: list[Failure]
    overridden: int
    int8: Int8Check | None


@dataclass(frozen=True, slots=True)
class WrittenRecommendations:
    """The second half of a fit, for one model.

    Attributes:
        model_key: the model's.
        products: how many have recommendations.
        path: of the two files, without their extensions.
        rows: compared rows: images times views.
        recall: recall@10 of the image neighbours that they use, measured on a sample; None: exact.
        search_recall: the same for a photo query.
    """

    model_key: str
    products: int
    path: Path
    rows: int
    recall: float | None
    search_recall: float | None


@contextmanager
def fitting_database(dataset: Dataset, settings: Settings) -> Iterator[Database]:
    """The database of a dataset that is to be fitted, by one process at a time.

    Raises:
        StoreError, OutputError: something cannot be written, or another fit of the dataset is running.
    """
    path = Folders(settings.root).database
    busy = f"another fit of the dataset {dataset.name} is running. Wait until it ends, then run this again"
    with (
        Database(path, dataset, create=True, timeout=settings.lock_timeout) as database,
        # Two fits at once would each remove the other catalogue's products.
        locked(path.with_name(f"{dataset.label}.fit.lock"), settings.lock_timeout, busy),
    ):
        yield database


def embed_catalogue(
    source: CatalogueSnapshot,
    database: Database,
    settings: Settings,
    model: Model,
    options: FitOptions,
    progress: Progress = no_progress,
) -> EmbeddedCatalogue:
    """Bring a dataset's features up to date with its catalogue.

    Args:
        source: the catalogue.
        database: of :func:`fitting_database`.
        settings: the workspace's.
        model: the result of :func:`~image_similarity.models.resolver.define_model`.
        options: everything else.
        progress: reports progress.

    Raises:
        WeightsError, ModelError: the model is not available, or in int8 it is too far from fp32.
        RemovalError: more products would be removed than allowed; none was.
        StoreError, OutputError: something cannot be written; everything stored before stays.
        NotFittedError: no image could be used, or a model that was named with ``+adapted`` has learned nothing.
    """
    views, dataset, folders = views_for(options.data_augmentation), database.dataset, Folders(settings.root)
    check = None
    if model.choice.precision == "int8":
        for part in model.parts:
            if part.is_network:
                check = ensure_int8(part, source, dataset, settings, (model.choice.force_int8, progress))
    model = resolve(model, dataset, settings, FeatureStore(database).has_networks_of, fitting=True)
    if not options.learn:
        _ = model.key  # a model that has not been adapted yet fails here, not after hours
    run = FeaturesRun(
        database=database,
        models=[LazyModel(part.spec, partial(part.load, settings, progress)) for part in model.parts],
        views=views,
        folder=folders.images(dataset),
        max_pixels=settings.max_pixels,
        max_file_bytes=settings.max_file_bytes,
        strict=settings.strict,
        progress=progress,
        limit=RemovalLimit(None if options.allow_removal else settings.max_removal),
    )
    run.run(source)
    delete_orphan_files(database, settings)
    for folder in (folders.models, folders.trained_models):
        remove_leftovers(folder)
    if not run.counts.done + run.counts.known:
        raise NotFittedError(_nothing_usable(run))
    return EmbeddedCatalogue(model, run.counts, run.failures, run.overridden, check)


def write_recommendations(
    database: Database, settings: Settings, model: Model, options: FitOptions, progress: Progress = no_progress
) -> WrittenRecommendations:
    """Write each product's recommendations under a model that the dataset has features of.

    Args:
        database: the dataset's.
        settings: the workspace's.
        model: resolved.
        options: the number of recommendations, the views and the aggregate.
        progress: reports progress.

    Raises:
        NotFittedError: the model's projection was never learned.
        StoreError, OutputError: something cannot be written; everything stored before stays.
    """
    folders, dataset, views = Folders(settings.root), database.dataset, views_for(options.data_augmentation)
    recipe = model.recipe
    stored = fresh_index(database, folders.index, recipe, views, progress=progress)
    index = index_folder(folders.index, dataset, recipe.key, views).folder
    pairs = index.with_name(f"{index.name}.pairs")
    with prepared_gallery(stored, options.aggregate, pairs, progress) as gallery:
        store = RecommendationStore(database, folders.trained_models, dataset)
        answers = recommendations(gallery, options.number, options.aggregate, progress)
        return WrittenRecommendations(
            model_key=recipe.key,
            products=store.write(recipe.key, answers),
            path=folders.trained_models / dataset.recommendations(recipe.key),
            rows=len(gallery),
            recall=recall_of(gallery),
            search_recall=recall_of(Gallery.of(stored)),
        )


def _nothing_usable(run: FeaturesRun) -> str:
    if not run.failures:
        return "the catalogue lists no images"
    first = run.failures[0]
    return f"none of {run.counts.seen} images could be used; the first, {first.location}: {first.reason}"
