"""From a catalogue to features, and from these to each product's recommendations."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError
from image_similarity.fitting.pipeline import FeaturesRun, ModelInUse
from image_similarity.fitting.precision_check import with_int8
from image_similarity.fitting.recommendations import prepared, recall_of, recommendations
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
    """How a fit ended. ``recommendations`` is the path of the two files, without their endings."""

    model_key: str
    counts: Counts
    failures: list[Failure]
    products: int
    recommendations: Path
    rows: int
    """Images and views that were compared."""
    recall: float | None = None
    """Of the ten nearest images of an image, the share that the recommendations hold, measured on a sample; None:
    all, exactly."""
    search_recall: float | None = None
    """The same for a photo that is searched with."""
    int8: Int8Check | None = None
    """How the int8 network compares with fp32, where it was asked for."""
    overridden: int = 0
    """Products that the catalogue lists and that stay as they were put, or were deleted while the fit ran."""
    notes: tuple[str, ...] = ()
    """What is to be known of the catalogue: what was guessed, joined, left out, or looks odd."""


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
        source: the catalogue, which has been read.
        dataset: whose features.
        settings: where the workspace is.
        model: as :func:`~image_similarity.models.resolver.named` found it.
        options: the rest.
        progress: told how far it is.
        notes: told before the work what is to be known of the catalogue, as far as that is seen by then.

    Raises:
        WeightsError, ModelError: the model cannot be had, or in int8 it is too far from fp32.
        RemovalError: more products would go than may; none has.
        StoreError, OutputError: something cannot be written, or another fit of the dataset is at work; all that was
            stored before stays.
        NotFittedError: not one image could be used.
    """
    told = NoteLog(notes)
    told.add_all(source.notes)
    told.add_all(warnings_of(model, settings))
    path = Folders(settings.root).database
    busy = f"another fit of the dataset {dataset.name} is running. Wait until it ends, then run this again"
    with (
        Database(path, dataset, create=True, timeout=settings.lock_timeout) as database,
        # Two at once would each make the dataset what its own catalogue lists.
        locked(path.with_name(f"{dataset.label}.fit.lock"), settings.lock_timeout, busy),
    ):
        report = _fit(source, database, settings, (options, model), progress)
    return replace(report, notes=told.texts)


def _fit(
    source: CatalogueSnapshot,
    database: Database,
    settings: Settings,
    what: tuple[FitOptions, Model],
    progress: Progress,
) -> FitReport:
    options, asked = what
    views, dataset = views_for(options.data_augmentation), database.dataset
    folders = Folders(settings.root)
    check = None
    if asked.choice.precision == "int8":
        for part in asked.parts:
            if part.is_network:
                check = with_int8(part, source, dataset, settings, (asked.choice.force_int8, progress))
    model = resolve(asked, dataset, settings, FeatureStore(database).has_networks_of, fitting=True)
    recipe = model.recipe  # what was to be learned first is missed now, not after hours
    run = FeaturesRun(
        database=database,
        models=[ModelInUse(part.spec, partial(part.load, settings, progress)) for part in model.parts],
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
    with prepared(stored, options.aggregate, pairs, progress) as gallery:
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
