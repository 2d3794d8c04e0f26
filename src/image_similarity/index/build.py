"""Open an index; rebuild it first if the store has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.errors import IndexDamagedError
from image_similarity.images import ONE_VIEW, SIX_VIEWS
from image_similarity.index.generations import IndexFolder
from image_similarity.index.stored_index import StoredIndex
from image_similarity.index.writer import write_generation
from image_similarity.neighbours import STANDARD_CHOICE, IndexChoice
from image_similarity.settings import Folders
from image_similarity.store import ROWS_TOGETHER, FeatureStore, take_snapshot
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models import Recipe
    from image_similarity.settings import Settings
    from image_similarity.store import Database


def index_folder(folder: Path, dataset: Dataset, key: str, views: Sequence[str]) -> IndexFolder:
    """The folder of one index inside ``folder``, the folder of all indexes."""
    return IndexFolder(folder / dataset.label / f"{key}-{len(views)}")


def fitted_index(
    database: Database, folder: Path, recipe: Recipe, choice: IndexChoice = STANDARD_CHOICE
) -> tuple[tuple[str, ...], StoredIndex | None]:
    """The views that a dataset is fitted with, one or six, and its :func:`present_index` of these views.

    The manifest of an index that is up to date lists the views, which saves a scan of the store.
    """
    opened: dict[tuple[str, ...], StoredIndex | None] = {}
    for views in (SIX_VIEWS, ONE_VIEW):
        found = opened[views] = present_index(database, folder, recipe, views, choice)
        if found and found.manifest.generation == database.generation():
            fitted = _fitted(found.manifest.available)
            break
    else:
        fitted = _fitted(set.intersection(*(FeatureStore(database).views(model) for model in recipe.models)))
    if fitted not in opened:
        opened[fitted] = present_index(database, folder, recipe, fitted, choice)
    return fitted, opened[fitted]


def _fitted(available: Iterable[str]) -> tuple[str, ...]:
    return SIX_VIEWS if set(available) - set(ONE_VIEW) else ONE_VIEW


def open_index(
    recipe: Recipe,
    database: Database,
    settings: Settings,
    views: Sequence[str] | None = ONE_VIEW,
    progress: Progress = no_progress,
) -> StoredIndex:
    """A dataset's up-to-date index in its workspace; see :func:`fresh_index`. ``views``: None for those fitted."""
    folder = Folders(settings.root).index
    if views is None:
        views, opened = fitted_index(database, folder, recipe)
        if opened and opened.manifest.generation == database.generation():
            return opened
    return fresh_index(database, folder, recipe, views, progress=progress)


def fresh_index(
    database: Database,
    folder: Path,
    recipe: Recipe,
    views: Sequence[str],
    choice: IndexChoice = STANDARD_CHOICE,
    progress: Progress = no_progress,
    block: int = ROWS_TOGETHER,
) -> StoredIndex:
    """Open the index of the store's present state; rebuild it first if it is out of date.

    Args:
        database: the dataset's.
        folder: of all indexes.
        recipe: how the vectors are made from features.
        views: ``ONE_VIEW`` or ``SIX_VIEWS``.
        choice: which approximate index, and from how many rows on.
        progress: reports builds that take long.
        block: rows read from the store at a time.

    Raises:
        NotFittedError: there are no active features of these models in these views.
        OutputError: it cannot be written.
    """
    place = index_folder(folder, database.dataset, recipe.key, views)
    opened = _opened(place, choice)
    if opened and opened.manifest.generation == database.generation():
        return opened
    for model in recipe.models:
        FeatureStore(database).dimension(model)  # fails if there are no features, before a folder is made
    with place.locked():
        opened = _opened(place, choice)  # another process may have built it meanwhile
        if opened and opened.manifest.generation == database.generation():
            return opened
        with take_snapshot(database, recipe.models, views, block=block) as state, place.replacing() as new:
            write_generation(state, recipe, new, opened, choice, progress)
        opened = _opened(place, choice)
    if opened is None:
        raise IndexDamagedError(f"the index in {place.folder} was damaged right after it was written: check the disk")
    return opened


def present_index(
    database: Database,
    folder: Path,
    recipe: Recipe,
    views: Sequence[str],
    choice: IndexChoice = STANDARD_CHOICE,
    *,
    unless: Path | None = None,
) -> StoredIndex | None:
    """The index on the disk, even if it is out of date; None if there is none or it is damaged.

    ``unless``: the folder of a generation that is already open; returns None if that is still the present one.
    """
    place = index_folder(folder, database.dataset, recipe.key, views)
    try:
        if unless is not None and place.current() == unless:
            return None
    except IndexDamagedError:
        return None
    return _opened(place, choice)


def _opened(place: IndexFolder, choice: IndexChoice) -> StoredIndex | None:
    """The present generation; None if there is none or it is damaged."""
    try:
        return StoredIndex.open(place, choice.large)
    except IndexDamagedError:
        return None
