"""Fit a catalogue: embed its images, build the index, write each product's recommendations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError
from image_similarity.fitting.pipeline import FeaturesRun, LazyModel
from image_similarity.fitting.precision_check import ensure_int8
from image_similarity.fitting.recommendations import prepared_gallery, recall_of, recommendations
from image_similarity.fitting.upsert import delete_orphan_files
from image_similarity.images import views_for
from image_similarity.index import fresh_index, index_folder
from image_similarity.models import resolve, warnings_of
from image_similarity.ranking import Gallery
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore, RecommendationStore, RemovalLimit
from image_similarity.types import Counts, Failure, NoteLog, Notes, Progress, no_notes, no_progress
from image_similarity.util.files import locked, remove_leftovers

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.catalogue import CatalogueSnapshot
    from image_similarity.dataset import Dataset
    from image_similarity.fitting.precision_check import Int8Check
    from image_similarity.models import Model
    from image_similarity.options import FitOptions
    from image_similarity.settings import Settings


@dataclass(frozen=True, slots=True)
class FitReport:
    """The result of a fit. ``recommendations`` is the path of the two files without their extensions."""

    model_key: str
    counts: Counts
    failures: list[Failure]
    products: int
    recommendations: Path
    rows: int
    """Compared rows: images times views."""
    recall: float | None = None
    """Recall@10 of the image neighbours that the recommendations use, measured on a sample; None: exact."""
    search_recall: float | None = None
    """The same for a photo query."""
    int8: Int8Check | None = None
    """Comparison of the int8 network with fp32, if int8 was requested."""
    overridden: int = 0
    """Products of the catalogue that keep their upserted state, or were deleted while the fit ran."""
    notes: tuple[str, ...] = ()
    """Notes on the catalogue: what was guessed, joined, left out, or looks wrong."""


def fit(
    source: CatalogueSnapshot,
    dataset: Dataset,
    settings: Settings,
    model: Model,
    options: FitOptions,
    progress: Progress = no_progress,
    notes: Notes = no_notes,
) -> FitReport:
    """Bring a dataset's features up to date with its catalogue and write its recommendations.

    Args:
        source: the catalogue.
        dataset: the dataset to update.
        settings: the workspace's.
        model: the result of :func:`~image_similarity.models.resolver.named`.
        options: everything else.
        progress: reports progress.
        notes: receives the notes on the catalogue that are known before the work begins.

    Raises:
        WeightsError, ModelError: the model is not available, or in int8 it is too far from fp32.
        RemovalError: more products would be removed than allowed; none was.
        StoreError, OutputError: something cannot be written, or another fit of the dataset is running; everything
            stored before stays.
        NotFittedError: no image could be used.
    """
    log = NoteLog(notes)
    log.add_all(source.notes)
    log.add_all(warnings_of(model, settings))
    path = Folders(settings.root).database
    busy = f"another fit of the dataset {dataset.name} is running. Wait until it ends, then run this again"
    with (
        Database(path, dataset, create=True, timeout=settings.lock_timeout) as database,
        # Two fits at once would each remove the other catalogue's products.
        locked(path.with_name(f"{dataset.label}.fit.lock"), settings.lock_timeout, busy),
    ):
        report = _fit(source, database, settings, (options, model), progress)
    return replace(report, notes=log.texts)


def _fit(
    source: CatalogueSnapshot,
    database: Database,
    settings: Settings,
    what: tuple[FitOptions, Model],
    progress: Progress,
) -> FitReport:
    options, named_model = what
    views, dataset = views_for(options.data_augmentation), database.dataset
    folders = Folders(settings.root)
    check = None
    if named_model.choice.precision == "int8":
        for part in named_model.parts:
            if part.is_network:
                check = ensure_int8(part, source, dataset, settings, (named_model.choice.force_int8, progress))
    model = resolve(named_model, dataset, settings, FeatureStore(database).has_networks_of, fitting=True)
    recipe = model.recipe  # a model that has not been adapted yet fails here, not after hours
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
    stored = fresh_index(database, folders.index, recipe, views, progress=progress)
    index = index_folder(folders.index, dataset, recipe.key, views).folder
    pairs = index.with_name(f"{index.name}.pairs")
    with prepared_gallery(stored, options.aggregate, pairs, progress) as gallery:
        store = RecommendationStore(database, folders.trained_models, dataset)
        answers = recommendations(gallery, options.number, options.aggregate, progress)
        products = store.write(recipe.key, answers)
        return FitReport(
            recipe.key,
            run.counts,
            run.failures,
            products,
            folders.trained_models / dataset.recommendations(recipe.key),
            rows=len(gallery),
            recall=recall_of(gallery),
            search_recall=recall_of(Gallery.of(stored)),
            int8=check,
            overridden=run.overridden,
        )


def _nothing_usable(run: FeaturesRun) -> str:
    if not run.failures:
        return "the catalogue lists no images"
    first = run.failures[0]
    return f"none of {run.counts.seen} images could be used; the first, {first.location}: {first.reason}"
