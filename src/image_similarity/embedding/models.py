"""The table of embedding models. A new one is one line here and, if it is of a new kind, one small file beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.embedding.choice import ModelChoice
from image_similarity.errors import UsageError
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from collections.abc import Callable

    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ModelSpec, Progress

DEFAULT_MODEL = "Inception_Resnet"
DEFAULT_CHOICE = ModelChoice(DEFAULT_MODEL)
OFFLINE_MODEL = "colour-shape"


# Each kind of model is imported where it is chosen: --help and `similar` need none of them.


def _colour_shape_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.embedding.colour_shape_record import SPEC

    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(f"{choice.name} has no weights: leave --weights out")
    return SPEC


def _colour_shape(choice: ModelChoice, *_: object) -> EmbeddingModel:
    from image_similarity.embedding.colour_shape import ColourShape

    _colour_shape_spec(choice)
    return ColourShape()


def _keras_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.embedding.keras_networks import spec_of

    return spec_of(choice)


def _keras(choice: ModelChoice, settings: Settings, progress: Progress, one: bool) -> EmbeddingModel:
    from image_similarity.embedding.keras_networks import load_network

    return load_network(choice, settings, progress, Folders(settings.root).models if one else None)


def _described_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.embedding.described import read_description

    return read_description(choice).spec


def _described(choice: ModelChoice, settings: Settings, progress: Progress, one: bool) -> EmbeddingModel:  # noqa: ARG001
    from image_similarity.embedding.described import load_described

    return load_described(choice, Folders(settings.root).models if one else None)


MODELS: dict[str, tuple[Callable[[ModelChoice], ModelSpec], Callable[..., EmbeddingModel]]] = {
    "VGG": (_keras_spec, _keras),
    "Inception_Resnet": (_keras_spec, _keras),
    "colour-shape": (_colour_shape_spec, _colour_shape),
}
"""Name to (its record, the thing itself). The record is cheap; the thing may download, build and compile."""


def model_spec(choice: ModelChoice) -> ModelSpec:
    """The record of a model, without loading it.

    Raises:
        UsageError: there is no such model.
        ModelError: its description cannot be read.
    """
    return _entry(choice)[0](choice)


def load_model(choice: ModelChoice, settings: Settings, progress: Progress, one: bool = False) -> EmbeddingModel:
    """Load a model, ready to embed. ``one``: a single picture, soon; a network is then kept ready in the workspace.

    Raises:
        UsageError: there is no such model.
        WeightsError: its weights cannot be had or are not the ones its record names.
        ModelError: it cannot be built or compiled.
    """
    return _entry(choice)[1](choice, settings, progress, one)


def _entry(choice: ModelChoice) -> tuple[Callable[[ModelChoice], ModelSpec], Callable[..., EmbeddingModel]]:
    if choice.is_description:
        return _described_spec, _described
    if choice.name in MODELS:
        return MODELS[choice.name]
    raise UsageError(
        f"there is no model {choice.name!r}: use {', '.join(MODELS)}, or the path of a model's .toml description"
    )
