"""The fourth job: the products that look most like what is on a photo."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.catalogue.addresses import as_address, lasting
from image_similarity.errors import ImageError, UsageError
from image_similarity.images.crops import with_crops
from image_similarity.images.decode import decode, read_bytes
from image_similarity.images.plain_ground import on_plain_ground
from image_similarity.images.views import ONE_VIEW, SIX_VIEWS
from image_similarity.index.build import fitted_views
from image_similarity.index.filter_language import parse_filter
from image_similarity.index.filters import passing
from image_similarity.models.table import DEFAULT_CHOICE
from image_similarity.models.unit_vectors import NOTHING, is_usable, mean_vector
from image_similarity.ranking.aggregate import check_ranking, rank_products
from image_similarity.ranking.gallery import Gallery, Question
from image_similarity.search.answer import Answer, Shown, show_product
from image_similarity.search.chosen import chosen
from image_similarity.search.explanation import explain, small_copy
from image_similarity.search.match_probability import Judge, calibration_file, judge
from image_similarity.search.part_weights import weighing
from image_similarity.search.text_query import Words, check_words, query_vector, words_vector
from image_similarity.settings import Folders
from image_similarity.store.database import Database
from image_similarity.store.records import CatalogueRecords
from image_similarity.types import Product, Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray
    from PIL import Image

    from image_similarity.dataset import Dataset
    from image_similarity.index.filters import Filter
    from image_similarity.index.stored_index import StoredIndex
    from image_similarity.models.choice import ModelChoice
    from image_similarity.models.recipe import Recipe
    from image_similarity.search.chosen import Chosen, Embedder, Squares
    from image_similarity.search.part_weights import Like
    from image_similarity.settings import Settings


Photo = str | Path | bytes
"""A path, an address, or the bytes of a file."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    ``data_augmentation``: 1 compares with the six views, 0 with the images; None: as fitted. ``filter``: what the
    answers must be, as docs/answers.md has it; None: anything. ``min_match``: the least probability of being the very
    product, as ``calibrate`` measured it; None: all. ``explain``: say why each product was found.
    ``crops``: the photo asks together with its middle and its corners, by their mean vector; six times the work.
    ``like``: only the photo's ``shape`` or only its ``colour`` counts; None: all parts of the model by their weights.
    """

    model: ModelChoice = DEFAULT_CHOICE
    number: int = 10
    aggregate: str = "best"
    data_augmentation: int | None = None
    filter: str | Filter | None = None
    words: Words | None = None
    """What the answers should be like, said in words; a photo is then not needed."""
    min_match: float | None = None
    explain: bool = False
    crops: bool = False
    like: Like | None = None


def search(
    photo: Photo | Sequence[Photo] | None,
    dataset: Dataset,
    settings: Settings,
    options: SearchOptions,
    progress: Progress = no_progress,
) -> Answer:
    """Answer one photo, or several of one thing; see :func:`search_many`."""
    (answer,) = search_many([photo], dataset, settings, options, progress)
    return answer


def search_many(
    photos: Sequence[Photo | Sequence[Photo] | None],
    dataset: Dataset,
    settings: Settings,
    options: SearchOptions,
    progress: Progress = no_progress,
) -> list[Answer]:
    """Find the products that look most like what is on each photo.

    Args:
        photos: paths, addresses, or the bytes of files; several of one thing ask together; None: only what
            ``options.words`` say.
        dataset: a dataset that was fitted with the model.
        settings: where the workspace is.
        options: model, number, aggregate, views, filter, words, least probability ...
        progress: told how far it is.

    Raises:
        UsageError: a photo cannot be read, an option is out of its range or not for several photos of one thing, or
            the filter cannot be used.
        NotFittedError: the dataset has no features of the model, or a least probability needs a calibration.
        WeightsError, ModelError: the model cannot be had.
    """
    asking = [_photos(asked) for asked in photos]
    check_ranking(options.number, options.aggregate)
    check_words(options.words, options.model, wanted=not all(asking))
    several = any(len(photos_of_one) > 1 for photos_of_one in asking)
    if several and options.explain:
        raise UsageError("why a product was found is said of one photo: leave the others out")
    wanted = parse_filter(options.filter) if isinstance(options.filter, str) else options.filter
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database, ThreadPoolExecutor(1) as pool:
        records = CatalogueRecords(database)
        model = chosen(options.model, database, dataset, settings)
        weighed = weighing(options.like, model)
        loading: Future[Embedder] | None = None
        # Otherwise there is no photo, or what follows says so, and nothing need be fetched or compiled.
        if model.is_stored(database) and any(asking):
            loading = pool.submit(model.load, settings, progress, one=sum(map(len, asking)) == 1)
        stored = model.index(database, settings, _views(database, folders.index, model.recipe(), options), progress)
        gallery = Gallery.of(stored)
        sure = _judge(stored, model, dataset, settings, options, several)
        allowed = None if wanted is None else passing(wanted, stored.columns, len(gallery))
        seen = [[_seen(photo, model, settings, options) for photo in each] for each in asking]
        text = words_vector(options.words, model.parts[0], settings, progress)
        embedder = loading.result() if loading else None
        answers = []
        for done, (photos_of_one, each) in enumerate(zip(asking, seen, strict=True), start=1):
            own = np.concatenate([_vector(one, embedder) for one in each]) if embedder and each else None
            question = Question(_names(photos_of_one), _usable(weighed(query_vector(text, own, options.words))))
            look = max(options.number, sure.depth)
            (matches,) = rank_products(gallery, [question], look, options.aggregate, allowed)
            judged = sure(matches, bool(each) and all(one.plain for one in each), options.number)
            folder = folders.dataset / dataset.name
            shown = [show_product(records, folder, match.product_id, match.image_id) for match in judged.matches]
            why = None
            if embedder is not None and each and each[0].small is not None:
                why = explain(each[0].small, judged.matches, question, gallery, model, embedder)
            query = _asked(photos_of_one, options)
            answers.append(Answer(query, judged.matches, shown, judged.no_match, judged.note, why))
            progress("search", done, len(photos))
        return answers


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the model takes of a photo, whether that is on a plain ground, and a small copy where it is explained."""

    squares: list[Squares]
    plain: bool
    small: Image.Image | None


def _vector(seen: _Seen, embedder: Embedder) -> NDArray[np.float32]:
    """The mean of what a photo asks with, ``(1, dimension)``."""
    rows = embedder.each(seen.squares)
    for row in rows:
        if isinstance(row, ImageError):
            raise row
    return _usable(mean_vector(np.stack([row for row in rows if not isinstance(row, ImageError)])))


def _usable(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is to be searched with, which is like nothing where photos, words and weights leave nothing of it."""
    if not is_usable(vector):
        raise ImageError("embed", NOTHING)
    return vector


def _photos(asked: Photo | Sequence[Photo] | None) -> tuple[Photo, ...]:
    if asked is None:
        return ()
    return (asked,) if isinstance(asked, str | Path | bytes) else tuple(asked)


def _seen(photo: Photo, model: Chosen, settings: Settings, options: SearchOptions) -> _Seen:
    try:
        data = photo if isinstance(photo, bytes) else _read(photo, settings)
        picture = decode(data, max_pixels=settings.max_pixels, at_least=model.at_least)
    except ImageError as error:
        raise UsageError(f"the photo {_name(photo)} cannot be used: {error.reason}") from error
    asking = with_crops(picture) if options.crops else [picture]
    small = small_copy(picture, model) if options.explain else None
    return _Seen([model.squares(each) for each in asking], on_plain_ground(picture), small)


def _address(photo: Photo) -> str | None:
    return as_address(photo) if isinstance(photo, str) and not os.path.isfile(photo) else None  # noqa: PTH113 (any text)


def _read(photo: str | Path, settings: Settings) -> bytes:
    address = _address(photo)
    if address is None:
        return read_bytes(Path(photo), settings.max_file_bytes)
    from image_similarity.images.fetch import fetch_one  # here: a photo of this machine needs none of it

    return fetch_one(address, settings)


def _asked(photos: Sequence[Photo], options: SearchOptions) -> Shown:
    first = photos[0] if photos else b""
    path = str(first) if isinstance(first, str | Path) and _address(first) is None else ""
    return Shown(Product(", ".join(_names(photos)), options.words.text if options.words else ""), path)


def _judge(
    stored: StoredIndex, model: Chosen, dataset: Dataset, settings: Settings, options: SearchOptions, several: bool
) -> Judge:
    path = calibration_file(settings, dataset, model.key, len(stored.manifest.views))
    others = {"`crops`": options.crops, "`text`": options.words is not None, "`like`": options.like is not None}
    others["several photos"] = several
    way = " with ".join([options.aggregate, *(flag for flag, is_there in others.items() if is_there)])
    return judge(path, model.key, stored.manifest.generation, way, options.min_match)


def _views(database: Database, indexes: Path, recipe: Recipe, options: SearchOptions) -> tuple[str, ...]:
    if options.data_augmentation == 0:
        return ONE_VIEW
    views = fitted_views(database, indexes, recipe)
    if options.data_augmentation == 1 and len(views) < len(SIX_VIEWS):
        raise UsageError("the dataset has no features of the six views: run fit with `data_augmentation` 1 first")
    return views


def _names(photos: Sequence[Photo]) -> list[str]:
    return [_name(photo) for photo in photos] or ["words"]


def _name(photo: Photo) -> str:
    if isinstance(photo, bytes):
        return "standard input"
    address = _address(photo)
    if address is None:
        return Path(photo).name
    return "data:" if address.startswith("data:") else PurePosixPath(lasting(address)).name
