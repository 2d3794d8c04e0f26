"""The second job: features of the whole catalogue, then the dictionary of most similar products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.dictionary import files
from image_similarity.embedding.models import DEFAULT_CHOICE, load_model, model_spec
from image_similarity.errors import NotFittedError
from image_similarity.features.database import Database
from image_similarity.features.records import CatalogueRecords
from image_similarity.features.store import FeatureStore
from image_similarity.images.views import views_for
from image_similarity.index.build import fresh_index
from image_similarity.jobs.features import FeaturesRun
from image_similarity.ranking.aggregate import check_ranking, rank_products
from image_similarity.ranking.gallery import Gallery
from image_similarity.settings import Folders
from image_similarity.types import Counts, Failure, Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import CatalogueSource, ProductMatch

QUESTIONS = 64  # products ranked together


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
        model_spec(self.model)


@dataclass(frozen=True, slots=True)
class FitReport:
    """How a fit ended. ``dictionary`` is the path of the two files, without their endings."""

    model_key: str
    counts: Counts
    failures: list[Failure]
    products: int
    dictionary: Path


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
        WeightsError, ModelError: the model cannot be had.
        StoreError, OutputError: something cannot be written; all that was stored before stays.
        NotFittedError: not one image could be used.
    """
    views, spec = views_for(options.data_augmentation), model_spec(options.model)
    folders = Folders(settings.root)
    with Database(folders.database, dataset, create=True, timeout=settings.lock_timeout) as database:
        store = FeatureStore(database)
        run = FeaturesRun(
            store=store,
            records=CatalogueRecords(database),
            spec=spec,
            load=lambda: load_model(options.model, settings, progress),
            views=views,
            folder=folders.dataset / dataset.name,
            max_pixels=settings.max_pixels,
            progress=progress,
        )
        run.run(source)
        if not run.counts.done + run.counts.known:
            raise NotFittedError(_nothing_usable(run))
        gallery = Gallery.of(fresh_index(database, folders.index, spec.key, views, progress=progress))
    stem = folders.trained_models / dataset.dictionary(spec.key)
    products = files.write(stem, _similar(gallery, options, progress))
    return FitReport(spec.key, run.counts, run.failures, products, stem)


def _similar(gallery: Gallery, options: FitOptions, progress: Progress) -> Iterator[tuple[str, list[ProductMatch]]]:
    done, total = 0, len(gallery.products)
    for questions in gallery.blocks(QUESTIONS):
        answers = rank_products(gallery, questions, options.number, options.aggregate)
        for question, matches in zip(questions, answers, strict=True):
            yield gallery.products[question.own], matches
        done += len(questions)
        progress("similar products", done, total)


def _nothing_usable(run: FeaturesRun) -> str:
    if not run.failures:
        return "the catalogue lists no images"
    first = run.failures[0]
    return f"none of {run.counts.seen} images could be used; the first, {first.location}: {first.reason}"
