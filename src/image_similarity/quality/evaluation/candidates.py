"""The models of an evaluation, all on the same images, and the cost of each."""

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

SPEED_SECONDS, SPEED_IMAGES = 0.4, 256  # enough for two significant digits


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model and its index."""

    label: str
    model: Model
    stored: StoredIndex

    @property
    def catalogue(self) -> Catalogue:
        """The gallery of the evaluation."""
        grouping = self.stored.grouping
        return Catalogue(self.stored.features.vectors, grouping.row_product, grouping.starts)


@dataclass(frozen=True, slots=True)
class Cost(Record):
    """The cost of a model. ``images_per_second`` is of the network alone, on this machine; None: not measured."""

    model: str
    model_key: str
    dimension: int
    bytes_per_product: float
    images_per_second: float | None


def open_candidates(
    models: Sequence[ModelChoice], database: Database, dataset: Dataset, settings: Settings, progress: Progress
) -> list[Candidate]:
    """Open the models' indexes, which must be of the same images.

    Raises:
        NotFittedError: a model has no features, or features of other images than the first model's.
    """
    candidates = []
    for choice in models:
        model = resolve(choice, dataset, settings, FeatureStore(database).has_networks_of)
        candidates.append(
            Candidate(label(model.name), model, open_index(model.recipe, database, settings, progress=progress))
        )
    first, *others = candidates
    for candidate in others:
        if not np.array_equal(first.stored.identities, candidate.stored.identities):
            counts = (f"{each.label} has {len(each.stored.identities)}" for each in (first, candidate))
            raise NotFittedError(
                f"the models have features of other images of {dataset.name} ({', '.join(counts)}): run fit with "
                "both, last with the one that has fewer, then compare them"
            )
    return candidates


def label(name: str) -> str:
    """A model's name for tables and plots: the path of a description is shortened to the file's name."""
    return re.sub(r"[^+*\s]*[/\\]", "", name).replace(".toml", "")


def cost(candidate: Candidate, embedder: Embedder | None, inputs: Sequence[Inputs]) -> Cost:
    """Measure the cost of a model; its speed on ``inputs``, if there are any."""
    vectors = candidate.stored.features.vectors
    speed = speed_of(embedder, inputs) if embedder is not None and inputs else None
    products = max(1, len(candidate.stored.grouping.products))
    return Cost(candidate.label, candidate.model.key, int(vectors.shape[1]), vectors.nbytes / products, speed)


def speed_of(embedder: Embedder, inputs: Sequence[Inputs]) -> float:
    """Images per second that an embedder embeds here."""
    embedder.embed(inputs[:1])  # warm-up: one-time work is not a cost per image
    done, started = 0, time.perf_counter()
    while True:
        embedder.embed(inputs)
        done += len(inputs)
        taken = time.perf_counter() - started
        if taken > SPEED_SECONDS or done >= SPEED_IMAGES:
            return done / max(taken, 1e-9)
