"""Models by their names, apart from any dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.dataset import Dataset
from image_similarity.models.resolver import define_model
from image_similarity.settings import Settings
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from image_similarity.models.model import Model
    from image_similarity.options import ModelChoice
    from image_similarity.types import EmbeddingModel, ModelSpec


def model_named(choice: ModelChoice, settings: Settings | None = None) -> Model:
    return define_model(choice, Dataset("any"), settings or Settings())


def model_spec(choice: ModelChoice, settings: Settings | None = None) -> ModelSpec:
    (spec,) = model_named(choice, settings).specs
    return spec


def load_model(
    choice: ModelChoice, settings: Settings, progress: Progress = no_progress, one: bool = False
) -> EmbeddingModel:
    (part,) = model_named(choice, settings).parts
    return part.load(settings, progress, single=one)
