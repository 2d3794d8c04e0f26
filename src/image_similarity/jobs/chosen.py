"""A model as the jobs use it: which features it stands for, the index of a dataset, and the way from a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.embedding.models import load_model, model_spec
from image_similarity.features.store import FeatureStore
from image_similarity.images.views import ONE_VIEW, at_least, square
from image_similarity.index.build import fresh_index
from image_similarity.jobs.precision import for_question
from image_similarity.settings import Folders
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.features.database import Database
    from image_similarity.index.opened import StoredIndex
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ModelSpec

    Squares = tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that a dataset can be asked with. Make it with :func:`chosen`."""

    name: str
    """As it was asked for."""
    choice: ModelChoice
    spec: ModelSpec

    @property
    def key(self) -> str:
        """Names the index and the dictionary."""
        return self.spec.key

    @property
    def at_least(self) -> int | None:
        """The side that a decoded picture must keep; None where every pixel counts."""
        return at_least(self.spec.input)

    def squares(self, picture: Image.Image) -> Squares:
        """What :meth:`Embedder.embed` takes of one upright RGB picture."""
        return (square(picture, self.spec.input),)

    def is_stored(self, database: Database) -> bool:
        """Whether the store knows features of it at all."""
        return self.spec.key in FeatureStore(database).models()

    def index(
        self,
        database: Database,
        settings: Settings,
        views: Sequence[str] = ONE_VIEW,
        progress: Progress = no_progress,
    ) -> StoredIndex:
        """The dataset's index under this model, brought up to date where it is not.

        Raises:
            NotFittedError: the dataset has no features of it.
        """
        return fresh_index(database, Folders(settings.root).index, self.key, views, progress=progress)

    def load(self, settings: Settings, progress: Progress = no_progress, *, one: bool = False) -> Embedder:
        """What embeds pictures as the index has them. ``one``: for a single picture, soon.

        Raises:
            WeightsError, ModelError: the model cannot be had.
        """
        return Embedder(load_model(self.choice, settings, progress, one))


class Embedder:
    """From squares to vectors of the space that an index has."""

    def __init__(self, model: EmbeddingModel) -> None:
        self._model = model

    def embed(self, pictures: Sequence[Squares]) -> NDArray[np.float32]:
        """The squares of ``n`` pictures to unit vectors ``(n, dimension)``."""
        return self._model.embed(np.stack([each[0] for each in pictures]))


def chosen(model: ModelChoice, database: Database, dataset: Dataset, settings: Settings) -> Chosen:
    """What a model's name means in a fitted dataset.

    Raises:
        UsageError: there is no such model.
        ModelError: its description cannot be read.
    """
    choice = for_question(model, dataset, settings, FeatureStore(database).has)
    return Chosen(model.name, choice, model_spec(choice))
