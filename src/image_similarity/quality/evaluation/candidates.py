"""The models of an evaluation, side by side on the same images, and what each costs."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import NotFittedError
from image_similarity.index import open_index
from image_similarity.models import resolve
from image_similarity.quality.evaluation.protocols import Catalogue
from image_similarity.store import FeatureStore
from image_similarity.util.plain_values import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from image_similarity.dataset import Dataset
    from image_similarity.index import StoredIndex
    from image_similarity.models import Embedder, Inputs, Model
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings
    from image_similarity.store import Database
    from image_similarity.types import Progress

SPEED_SECONDS, SPEED_IMAGES = 1.0, 256  # long enough for a figure to the first two digits


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model and the index that answers for it."""

    label: str
    model: Model
    stored: StoredIndex

    @property
    def catalogue(self) -> Catalogue:
        """The images that answer."""
        grouping = self.stored.grouping
        return Catalogue(self.stored.features.vectors, grouping.row_product, grouping.starts)


@dataclass(frozen=True, slots=True)
class Cost(Record):
    """What a model costs. ``images_per_second`` is of the network alone, on this machine; None: not measured."""

    model: str
    model_key: str
    dimension: int
    bytes_per_product: float
    images_per_second: float | None


def open_candidates(
    models: Sequence[ModelChoice], database: Database, dataset: Dataset, settings: Settings, progress: Progress
) -> list[Candidate]:
    """The models' indexes, all of the same images.

    Raises:
        NotFittedError: no features of a model, or of other images than the first model's.
    """
    sides = []
    for choice in models:
        model = resolve(choice, dataset, settings, FeatureStore(database).has_networks_of)
        sides.append(
            Candidate(label(model.name), model, open_index(model.recipe, database, settings, progress=progress))
        )
    first, *others = sides
    for side in others:
        if not np.array_equal(first.stored.identities, side.stored.identities):
            counts = (f"{each.label} has {len(each.stored.identities)}" for each in (first, side))
            raise NotFittedError(
                f"the models have features of other images of {dataset.name} ({', '.join(counts)}): run fit with "
                "both, last with the one that has fewer, then compare them"
            )
    return sides


def label(name: str) -> str:
    """A model's name for tables and plots: of the path of a description, the file's own name."""
    return re.sub(r"[^+*\s]*[/\\]", "", name).replace(".toml", "")


def cost(side: Candidate, embedder: Embedder | None, inputs: Sequence[Inputs]) -> Cost:
    """What a model costs, its speed on these images where there are any."""
    vectors = side.stored.features.vectors
    speed = _speed(embedder, inputs) if embedder is not None and inputs else None
    products = max(1, len(side.stored.grouping.products))
    return Cost(side.label, side.model.key, int(vectors.shape[1]), vectors.nbytes / products, speed)


def _speed(embedder: Embedder, inputs: Sequence[Inputs]) -> float:
    embedder.embed(inputs[:1])  # what is done once is no cost of an image
    done, started = 0, time.perf_counter()
    while True:
        embedder.embed(inputs)
        done += len(inputs)
        taken = time.perf_counter() - started
        if taken > SPEED_SECONDS or done >= SPEED_IMAGES:
            return done / max(taken, 1e-9)
