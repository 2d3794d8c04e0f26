"""The table of embedding models. A new one needs a line here and, if it is of a new kind, a small file beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.models.definition import Definition
from image_similarity.models.hub_records import RECORDS
from image_similarity.models.standard import STANDARD
from image_similarity.options import ModelChoice
from image_similarity.util.files import is_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from image_similarity.settings import Settings

OFFLINE_MODEL = "colour-shape"

# Each kind of model is imported only when it is used: --help and `similar` need none of them.


def _colour_shape(choice: ModelChoice, settings: Settings) -> Definition:  # noqa: ARG001
    from image_similarity.models.colour_shape_record import SPEC

    def load(_: object) -> ColourShape:
        from image_similarity.models.colour_shape import ColourShape

        return ColourShape()

    _no_weights(choice)
    return Definition(SPEC, load)


def _colour(choice: ModelChoice, settings: Settings) -> Definition:  # noqa: ARG001
    from image_similarity.models.colour_record import SPEC

    def load(_: object) -> Colour:
        from image_similarity.models.colour import Colour

        return Colour()

    _no_weights(choice)
    return Definition(SPEC, load)


def _keras(choice: ModelChoice, settings: Settings) -> Definition:
    from image_similarity.models.keras_networks import definition

    return definition(choice, settings)


def _lite(choice: ModelChoice, settings: Settings) -> Definition:
    from image_similarity.models.efficientnet_lite import definition

    _no_weights(choice)
    return definition(choice, settings)


def _described(choice: ModelChoice, settings: Settings) -> Definition:  # noqa: ARG001
    from image_similarity.models.described import definition

    return definition(choice)


def _hub(choice: ModelChoice, settings: Settings) -> Definition:
    from image_similarity.models.hub import definition

    return definition(choice, settings)


def _timm(choice: ModelChoice, settings: Settings) -> Definition:
    from image_similarity.models.timm_networks import definition

    return definition(choice, settings)


if TYPE_CHECKING:
    from image_similarity.models.colour import Colour
    from image_similarity.models.colour_shape import ColourShape

MODELS: dict[str, Callable[[ModelChoice, Settings], Definition]] = {
    "EfficientNet-Lite2": _lite,
    "EfficientNet-Lite0": _lite,
    "colour": _colour,
    "colour-shape": _colour_shape,
    **dict.fromkeys(RECORDS, _hub),
    "VGG": _keras,
    "Inception_Resnet": _keras,
}
"""By name, the function that makes a model's definition. Defining is cheap; loading may download and build."""


def is_model(name: str) -> bool:
    """Whether a text is a name of the table, a name of timm's or the path of a description."""
    choice = ModelChoice(name)
    return name in MODELS or ((choice.is_description or choice.is_timm) and not _has_terms(name))


def define(choice: ModelChoice, settings: Settings) -> Definition:
    """The definition of a single model, without loading it.

    Raises:
        UsageError: there is no such model, or it has no such precision.
        ModelError: its description cannot be read.
        WeightsError: it was never pulled, and is not known before.
    """
    defined = _kind(choice)(choice, settings)
    if not defined.spec.precision and choice.precision not in ("auto", "fp32"):
        raise UsageError(f"{choice.name} is no network and has no precision: leave `precision` out")
    return defined


def _kind(choice: ModelChoice) -> Callable[[ModelChoice, Settings], Definition]:
    if choice.is_description:
        return _described
    if choice.is_timm:
        return _timm
    if choice.name in MODELS:
        return MODELS[choice.name]
    raise UsageError(
        f"there is no model {choice.name!r}: use {', '.join([STANDARD, *MODELS])}, timm:NAME, or the path of a model's "
        ".toml description"
    )


def _no_weights(choice: ModelChoice) -> None:
    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(f"{choice.name} has no weights: leave `weights` out")


def _has_terms(name: str) -> bool:
    """Whether a text that ends like a description's path is a mixture: it has operators, and is no existing file."""
    return ("+" in name or "*" in name) and not is_file(name)
