"""Learn a projection from the catalogue that ignores irrelevant differences, and store it if it helps."""

from __future__ import annotations

import glob
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.errors import AdaptationError
from image_similarity.index import open_index
from image_similarity.models import key_of, projection_folder, resolve, write_projection
from image_similarity.quality.adaptation.groups import pairs_of_products
from image_similarity.quality.adaptation.learn import Learned, LearnOptions, learn
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore
from image_similarity.util.plain_values import Record, fields_of, plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.types import Progress

SUFFIX = "+adapted"


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
    options: LearnOptions | None = None,
) -> AdaptReport:
    """Learn a projection of a model's features from the products with several images, and store it if it helps.

    Args:
        dataset: the dataset, fitted with the model.
        settings: where the workspace is.
        model: the model to improve.
        progress: reports the cross-validation.
        pairs: ids of similar products; each pair counts as one product.
        options: the values to choose from.

    Raises:
        NotFittedError: no features of this model.
        AdaptationError: too few products with several images, or it does not help. An earlier projection is kept.
    """
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database:
        # Learned from the plain model, not on top of an earlier projection.
        base = resolve(model, dataset, settings, FeatureStore(database).has_networks_of).plain
        key, stored = base.key, open_index(base.recipe, database, settings, progress=progress)
    linked, unknown = pairs_of_products(stored.features.product_ids, pairs)
    learned = learn(stored.features.vectors, stored.grouping.row_product, options, pairs=linked, progress=progress)
    if not learned.helps:
        raise AdaptationError(_no_help(dataset, key, learned))
    folder = projection_folder(settings, dataset, key)
    write_projection(folder, learned.projection, learned.as_dict())
    _remove_other_indexes(folders.index / dataset.label, key_of([key], [1.0], learned.projection.digest))
    return AdaptReport(dataset.name, key, base.name.removesuffix(SUFFIX) + SUFFIX, folder, learned, unknown)


def _remove_other_indexes(indexes: Path, key: str) -> None:
    """Remove the indexes of earlier projections of the same model, which are no longer used."""
    general = key[: -len(key.rpartition("@")[2])]
    for index in indexes.glob(f"{glob.escape(general)}*"):
        if not index.name.startswith(f"{key}-"):
            shutil.rmtree(index, ignore_errors=True)


def _no_help(dataset: Dataset, key: str, learned: Learned) -> str:
    change = learned.difference
    return (
        f"what was learned for {key} on {dataset.name} does not help on products that it was not learned from: R@1 "
        f"{learned.before.value:.3f} before, {learned.after.value:.3f} after, difference {change.value:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}]. Nothing was written: keep using the model as it is"
    )
