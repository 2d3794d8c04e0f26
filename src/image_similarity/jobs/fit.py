"""The second job: features of the whole catalogue, then the dictionary of most similar products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.dictionary import files
from image_similarity.embedding.models import DEFAULT_CHOICE, base_spec, load_model, parts_of
from image_similarity.errors import NotFittedError
from image_similarity.features.database import Database
from image_similarity.features.records import CatalogueRecords
from image_similarity.features.store import FeatureStore
from image_similarity.images.views import views_for
from image_similarity.index.build import fresh_index, place_of
from image_similarity.jobs.chosen import chosen_for_fit
from image_similarity.jobs.features import FeaturesRun, ModelInUse
from image_similarity.jobs.int8 import with_int8
from image_similarity.jobs.recommend import prepared, recall_of, recommendations
from image_similarity.ranking.aggregate import check_ranking
from image_similarity.ranking.gallery import Gallery
from image_similarity.settings import Folders
from image_similarity.types import Counts, Failure, Progress, no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.jobs.int8 import Int8Check
    from image_similarity.settings import Settings
    from image_similarity.types import CatalogueSource


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What to fit with, and what the dictionary holds.

    Raises:
        UsageError: an option is out of its range, or there is no such model.
    """

    model: ModelChoice = DEFAULT_CHOICE
    data_augmentation: int = 0
    number: int = 10
    aggregate: str = "best"

    def __post_init__(self) -> None:
        # Before anything is read, downloaded or computed.
        views_for(self.data_augmentation)
        check_ranking(self.number, self.aggregate)
        for part in parts_of(self.model):
            base_spec(part)


@dataclass(frozen=True, slots=True)
class FitReport:
    """How a fit ended. ``dictionary`` is the path of the two files, without their endings."""

    model_key: str
    counts: Counts
    failures: list[Failure]
    products: int
    dictionary: Path
    rows: int
    """Images and views that were compared."""
    recall: float | None = None
    """Of the ten nearest images of an image, the share that the dictionary is made of, measured on a sample; None: all,
    exactly."""
    search_recall: float | None = None
    """The same for a photo that is searched with."""
    int8: Int8Check | None = None
    """How the int8 network compares with fp32, where it was asked for."""


def fit(
    source: CatalogueSource,
    dataset: Dataset,
    settings: Settings,
    options: FitOptions,
    progress: Progress = no_progress,
) -> FitReport:
    """Bring a dataset's features up to date with its catalogue and write its dictionary.

    Raises:
        UsageError: an option is out of its range.
        CatalogueError: the catalogue cannot be read.
        WeightsError, ModelError: the model cannot be had, or in int8 it is too far from fp32.
        StoreError, OutputError: something cannot be written; all that was stored before stays.
        NotFittedError: not one image could be used.
    """
    views = views_for(options.data_augmentation)
    folders = Folders(settings.root)
    with Database(folders.database, dataset, create=True, timeout=settings.lock_timeout) as database:
        store = FeatureStore(database)
        check = None
        for part in parts_of(options.model.within(settings)):
            if part.precision == "int8":
                _, check = with_int8(part, source, dataset, settings, progress)
        model = chosen_for_fit(options.model, database, dataset, settings)
        recipe = model.recipe()  # what was to be learned first is missed now, not after hours
        run = FeaturesRun(
            store=store,
            records=CatalogueRecords(database),
            models=[
                ModelInUse(spec, lambda part=part: load_model(part, settings, progress))  # type: ignore[misc]
                for part, spec in zip(model.parts, model.specs, strict=True)
            ],
            views=views,
            folder=folders.dataset / dataset.name,
            max_pixels=settings.max_pixels,
            max_file_bytes=settings.max_file_bytes,
            strict=settings.strict,
            progress=progress,
        )
        run.run(source)
        if not run.counts.done + run.counts.known:
            raise NotFittedError(_nothing_usable(run))
        stored = fresh_index(database, folders.index, recipe, views, progress=progress)
        index = place_of(folders.index, dataset, recipe.key, views).folder
        pairs = index.with_name(f"{index.name}.pairs")
    stem = folders.trained_models / dataset.dictionary(recipe.key)
    with prepared(stored, options.aggregate, pairs, progress) as gallery:
        products = files.write(stem, recommendations(gallery, options.number, options.aggregate, progress))
        return FitReport(
            recipe.key,
            run.counts,
            run.failures,
            products,
            stem,
            rows=len(gallery),
            recall=recall_of(gallery),
            search_recall=recall_of(Gallery.of(stored)),
            int8=check,
        )


def _nothing_usable(run: FeaturesRun) -> str:
    if not run.failures:
        return "the catalogue lists no images"
    first = run.failures[0]
    return f"none of {run.counts.seen} images could be used; the first, {first.location}: {first.reason}"
