"""The fourth job: the products that look most like what is on a photo."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.embedding.models import DEFAULT_CHOICE, load_model, model_spec
from image_similarity.errors import ImageError, UsageError
from image_similarity.features.database import Database
from image_similarity.features.records import CatalogueRecords
from image_similarity.features.store import FeatureStore
from image_similarity.images.decode import decode, read_bytes
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS, at_least, square
from image_similarity.index.build import fitted_views, fresh_index
from image_similarity.index.filters import passing
from image_similarity.index.language import parse_filter
from image_similarity.jobs.answers import Answer, Shown, show_product
from image_similarity.jobs.precision import for_question
from image_similarity.ranking.aggregate import check_ranking, rank_products
from image_similarity.ranking.gallery import Gallery, Question
from image_similarity.settings import Folders
from image_similarity.types import Product, Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    import numpy as np
    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.index.filters import Filter
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, InputSpec


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    ``data_augmentation``: 1 compares with the six views, 0 with the images; None: as fitted. ``filter``: what the
    answers must be, as docs/answers.md has it; None: anything.
    """

    model: ModelChoice = DEFAULT_CHOICE
    number: int = 10
    aggregate: str = "best"
    data_augmentation: int | None = None
    filter: str | Filter | None = None


def search(
    photo: str | Path | bytes,
    dataset: Dataset,
    settings: Settings,
    options: SearchOptions,
    progress: Progress = no_progress,
) -> Answer:
    """Answer one photo; see :func:`search_many`."""
    (answer,) = search_many([photo], dataset, settings, options, progress)
    return answer


def search_many(
    photos: Sequence[str | Path | bytes],
    dataset: Dataset,
    settings: Settings,
    options: SearchOptions,
    progress: Progress = no_progress,
) -> list[Answer]:
    """Find the products that look most like what is on each photo.

    Args:
        photos: paths, or the bytes of files.
        dataset: a dataset that was fitted with the model.
        settings: where the workspace is.
        options: model, number, aggregate, views, filter.
        progress: told how far it is.

    Raises:
        UsageError: a photo cannot be read, an option is out of its range, or the filter cannot be used.
        NotFittedError: the dataset has no features of the model.
        WeightsError, ModelError: the model cannot be had.
    """
    check_ranking(options.number, options.aggregate)
    wanted = parse_filter(options.filter) if isinstance(options.filter, str) else options.filter
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database, ThreadPoolExecutor(1) as pool:
        store, records = FeatureStore(database), CatalogueRecords(database)
        choice = for_question(options.model, dataset, settings, store.has)
        spec = model_spec(choice)
        loading: Future[EmbeddingModel] | None = None
        if spec.key in store.models():  # otherwise what follows says so, and nothing need be fetched or compiled
            loading = pool.submit(load_model, choice, settings, progress, len(photos) == 1)
        views = _views(database, folders.index, spec.key, options)
        stored = fresh_index(database, folders.index, spec.key, views, progress=progress)
        gallery = Gallery.of(stored)
        allowed = None if wanted is None else passing(wanted, stored.columns, len(gallery))
        squares = [_square(photo, spec.input, settings.max_pixels) for photo in photos]
        model = loading.result() if loading else load_model(choice, settings, progress)
        answers = []
        for done, (photo, pixels) in enumerate(zip(photos, squares, strict=True), start=1):
            question = Question([_name(photo)], model.embed(pixels[None]))
            (matches,) = rank_products(gallery, [question], options.number, options.aggregate, allowed)
            folder = folders.dataset / dataset.name
            shown = [show_product(records, folder, match.product_id, match.image_id) for match in matches]
            path = "" if isinstance(photo, bytes) else str(photo)
            answers.append(Answer(Shown(Product(_name(photo)), path), matches, shown))
            progress("search", done, len(photos))
        return answers


def _square(photo: str | Path | bytes, wanted: InputSpec, max_pixels: int) -> NDArray[np.uint8]:
    try:
        data = photo if isinstance(photo, bytes) else read_bytes(Path(photo))
        return square(decode(data, max_pixels=max_pixels, at_least=at_least(wanted)), wanted)
    except ImageError as error:
        raise UsageError(f"the photo {_name(photo)} cannot be used: {error.reason}") from error


def _views(database: Database, indexes: Path, key: str, options: SearchOptions) -> tuple[str, ...]:
    if options.data_augmentation == 0:
        return ONE_VIEW
    views = fitted_views(database, indexes, key)
    if options.data_augmentation == 1 and len(views) < len(SIX_VIEWS):
        raise UsageError("the dataset has no features of the six views: run fit with --data_augmentation 1 first")
    return views


def _name(photo: str | Path | bytes) -> str:
    return "standard input" if isinstance(photo, bytes) else Path(photo).name
