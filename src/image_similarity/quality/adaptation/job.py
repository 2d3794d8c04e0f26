"""Learn a projection from the catalogue that ignores irrelevant differences, and store it if it helps."""

from __future__ import annotations

import glob
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import AdaptationError
from image_similarity.index import open_index
from image_similarity.models import (
    ADAPTED_SUFFIX,
    ProjectedPhotos,
    key_of,
    projection_folder,
    resolve,
    write_projection,
)
from image_similarity.quality.adaptation.groups import pairs_of_products
from image_similarity.quality.adaptation.learn import Learned, Photos, learn
from image_similarity.quality.self_queries import PhotoSample, make_queries
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore
from image_similarity.util.plain_values import Record, fields_of, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models import Model
    from image_similarity.options import ModelChoice
    from image_similarity.quality.self_queries import MadeQueries, SelfQuery
    from image_similarity.settings import Settings
    from image_similarity.types import Progress


@dataclass(frozen=True, slots=True)
class AdaptReport(Record):
    """What was learned, where it is stored, and which model name uses it. ``unknown``: ids of pairs without images."""

    dataset: str
    model_key: str
    use: str
    folder: Path
    learned: Learned
    unknown: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields of what was learned are merged into the top level."""
        place = fields_of(self, without=("learned", "unknown"))
        return {**place, **self.learned.as_dict(), "unknown_products": plain(self.unknown)}


def adapt(
    dataset: Dataset,
    settings: Settings,
    model: ModelChoice,
    progress: Progress,
    *,
    pairs: Sequence[tuple[str, str]] = (),
) -> AdaptReport:
    """:func:`learn_projection`, with an error where it does not help.

    Raises:
        NotFittedError, AdaptationError: as there, or what was learned does not help. An earlier projection is kept.
    """
    report = learn_projection(dataset, settings, model, progress, pairs=pairs)
    if not report.learned.helps:
        raise AdaptationError(_no_help(dataset, report.model_key, report.learned))
    return report


def learn_projection(
    dataset: Dataset,
    settings: Settings,
    model: ModelChoice,
    progress: Progress,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    made: MadeQueries | None = None,
) -> AdaptReport:
    """Learn a projection of a model's features from images and simulated photos of products, and store it if it helps.

    Args:
        dataset: the dataset, fitted with the model.
        settings: where the workspace is.
        model: the model to improve.
        progress: reports the cross-validation.
        pairs: ids of similar products; each pair counts as one product.
        made: queries that were made of this catalogue with this model; None: make them.

    Raises:
        NotFittedError: no features of this model.
        AdaptationError: too few products with several images or photos.
    """
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database:
        # Learned from the plain model, not on top of an earlier projection.
        base = resolve(model, dataset, settings, FeatureStore(database).has_networks_of).plain
        key, stored = base.key, open_index(base.recipe, database, settings, progress=progress)
        made = made or make_queries(stored, base, database, settings, PhotoSample(), progress)
    linked, unknown = pairs_of_products(stored.features.product_ids, pairs)
    photos = photos_of(made.queries)
    learned = learn(
        stored.features.vectors,
        stored.grouping.row_product,
        pairs=linked,
        photos=photos,
        smallest_part=smallest_part(base),
        progress=progress,
    )
    folder = projection_folder(settings, dataset, key)
    if learned.helps:
        image_ids = [stored.features.image_ids[each.row] for each in made.queries]
        kept = ProjectedPhotos(image_ids, photos.vectors) if photos else None
        write_projection(folder, learned.projection, learned.as_dict(), kept)
        _remove_other_indexes(folders.index / dataset.label, key_of([key], [1.0], learned.projection.digest))
    return AdaptReport(dataset.name, key, base.name + ADAPTED_SUFFIX, folder, learned, unknown)


def photos_of(queries: Sequence[SelfQuery]) -> Photos | None:
    """The photos of self-queries, to learn from; None if there are none."""
    if not queries:
        return None
    return Photos(np.stack([each.photo for each in queries]), np.array([each.row for each in queries], np.intp))


def smallest_part(model: Model) -> slice | None:
    """The numbers of a joined vector that are those of the part with the smallest share; None if no share is."""
    smallest = min(model.weights)
    if model.weights.count(smallest) == len(model.weights):
        return None
    slices = model.plain.recipe.slices([spec.dimension for spec in model.specs])
    return slices[model.weights.index(smallest)]


def _remove_other_indexes(indexes: Path, key: str) -> None:
    """Remove the indexes of earlier projections of the same model, which are no longer used."""
    general = key[: -len(key.rpartition("@")[2])]
    for index in indexes.glob(f"{glob.escape(general)}*"):
        if not index.name.startswith(f"{key}-"):
            shutil.rmtree(index, ignore_errors=True)


def _no_help(dataset: Dataset, key: str, learned: Learned) -> str:
    named = {"left-out images": learned.leave_one_out, "simulated photos": learned.simulated}
    figures = [
        f"{each.before.value:.3f} before and {each.after.value:.3f} after for {name}, difference "
        f"{each.difference.value:+.3f} [{each.difference.low:+.3f}, {each.difference.high:+.3f}]"
        for name, each in named.items()
        if each is not None
    ]
    return (
        f"what was learned for {key} on {dataset.name} does not help on products that it was not learned from: R@1 "
        f"{'; '.join(figures)}. Nothing was written: keep using the model as it is"
    )
