"""The table of embedding models. A new one is one line here and, if it is of a new kind, one small file beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from image_similarity.errors import NotFittedError, UsageError
from image_similarity.models.choice import ModelChoice
from image_similarity.models.hub_records import RECORDS
from image_similarity.models.mixture import Expression, parse_expression
from image_similarity.models.precision import at_precision
from image_similarity.settings import Folders
from image_similarity.util.files import is_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from image_similarity.models.graph import Graph
    from image_similarity.settings import Settings
    from image_similarity.types import EmbeddingModel, ModelSpec, Progress

DEFAULT_MODEL = "Inception_Resnet"
DEFAULT_CHOICE = ModelChoice(DEFAULT_MODEL)
OFFLINE_MODEL = "colour-shape"

Entry: TypeAlias = "tuple[Callable[[ModelChoice], ModelSpec], Callable[..., Graph | EmbeddingModel]]"


# Each kind of model is imported where it is chosen: --help and `similar` need none of them.


def _colour_shape_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.models.colour_shape_record import SPEC

    _no_weights(choice)
    return SPEC


def _colour_shape(*_: object) -> EmbeddingModel:
    from image_similarity.models.colour_shape import ColourShape

    return ColourShape()


def _colour_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.models.colour_record import SPEC

    _no_weights(choice)
    return SPEC


def _colour(*_: object) -> EmbeddingModel:
    from image_similarity.models.colour import Colour

    return Colour()


def _no_weights(choice: ModelChoice) -> None:
    if choice.weights is not None or choice.weights_digest is not None:
        raise UsageError(f"{choice.name} has no weights: leave `weights` out")


def _keras_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.models.keras_networks import spec_of

    return spec_of(choice)


def _keras(choice: ModelChoice, settings: Settings, progress: Progress) -> Graph:
    from image_similarity.models.keras_networks import load_network

    return load_network(choice, settings, progress)


def _described_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.models.described import read_description

    return read_description(choice).spec


def _described(choice: ModelChoice, settings: Settings, progress: Progress) -> Graph:  # noqa: ARG001
    from image_similarity.models.described import load_described

    return load_described(choice)


def _hub_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.models.hub import spec_of

    return spec_of(choice)


def _hub(choice: ModelChoice, settings: Settings, progress: Progress) -> Graph:  # noqa: ARG001
    from image_similarity.models.hub import load_pulled

    return load_pulled(choice.within(settings))


def _timm_spec(choice: ModelChoice) -> ModelSpec:
    from image_similarity.models.timm_networks import spec_of

    return spec_of(choice)


def _timm(choice: ModelChoice, settings: Settings, progress: Progress) -> Graph:  # noqa: ARG001
    from image_similarity.models.timm_networks import load_exported

    return load_exported(choice.within(settings))


MODELS: dict[str, Entry] = {
    "VGG": (_keras_spec, _keras),
    "Inception_Resnet": (_keras_spec, _keras),
    "colour-shape": (_colour_shape_spec, _colour_shape),
    "colour": (_colour_spec, _colour),
    **dict.fromkeys(RECORDS, (_hub_spec, _hub)),
}
"""Name to (its record at fp32, its graph or the thing itself). The record is cheap; the rest may download and build."""


def is_model(name: str) -> bool:
    """Whether a name is one of the table's, one of timm's or the path of a description."""
    choice = ModelChoice(name)
    return name in MODELS or ((choice.is_description or choice.is_timm) and not _has_terms(name))


def expression_of(choice: ModelChoice) -> Expression:
    """The models that a choice names, which may be several side by side.

    Raises:
        UsageError: it is not well formed, or weights are given for several models at once.
    """
    expression = parse_expression(choice.name, is_model)
    if len(expression.parts) > 1 and (choice.weights is not None or choice.weights_digest is not None):
        raise UsageError("`weights` and `weights_digest` go with a single model, not with a mixture")
    return expression


def parts_of(choice: ModelChoice) -> tuple[ModelChoice, ...]:
    """A choice for each model of an expression; a precision goes to the networks among them.

    Raises:
        UsageError: it is not well formed, there is no such model, or none of them has the precision that is asked for.
        ModelError: a description cannot be read.
    """
    names = [part.name for part in expression_of(choice).parts]
    if len(names) == 1:
        return (replace(choice, name=names[0]),)
    parts = []
    for name in names:
        plain = replace(choice, name=name, precision="auto", force_int8=False)
        parts.append(replace(choice, name=name) if base_spec(plain).precision else plain)
    return tuple(parts)


def base_spec(choice: ModelChoice) -> ModelSpec:
    """The record of a model at fp32, whatever precision is asked for; without loading it.

    Raises:
        UsageError: there is no such model, or it has no such precision.
        ModelError: its description cannot be read.
    """
    spec = _entry(choice)[0](choice)
    if not spec.precision and choice.precision not in ("auto", "fp32"):
        raise UsageError(f"{choice.name} is no network and has no precision: leave `precision` out")
    return spec


def model_spec(choice: ModelChoice) -> ModelSpec:
    """The record of a model at the precision asked for, without loading it; ``auto`` is fp32 here.

    Raises:
        UsageError: there is no such model, or it has no such precision.
        ModelError: its description or its int8 network cannot be read.
        NotFittedError: int8 is asked for and there is no int8 network yet.
    """
    spec = base_spec(choice)
    if choice.precision != "int8":
        return at_precision(spec, "bf16") if choice.precision == "bf16" else spec
    from image_similarity.models.int8 import digest_of

    return at_precision(spec, "int8", digest_of(_quantised(choice)))


def load_model(choice: ModelChoice, settings: Settings, progress: Progress, one: bool = False) -> EmbeddingModel:
    """Load a model, ready to embed. ``one``: a single picture, soon; a network is then kept ready in the workspace.

    Raises:
        UsageError: there is no such model, or it has no such precision.
        WeightsError: its weights cannot be had or are not the ones its record names.
        ModelError: it cannot be built or compiled.
        NotFittedError: int8 is asked for and there is no int8 network yet.
    """
    choice = choice.within(settings)
    spec = model_spec(choice)
    if choice.precision == "int8":
        from image_similarity.models.int8 import quantised_graph

        loaded: Graph | EmbeddingModel = quantised_graph(_quantised(choice))
    else:
        loaded = _entry(choice)[1](choice, settings, progress)
    if not spec.precision:
        return cast("EmbeddingModel", loaded)
    from image_similarity.models.openvino_network import OpenVinoModel

    return OpenVinoModel(spec, cast("Graph", loaded), Folders(settings.root).models if one else None)


def load_graph(choice: ModelChoice, settings: Settings, progress: Progress) -> Graph:
    """The file of a network, verified, and what its first layer expects; built where it must be.

    Raises:
        UsageError: there is no such network.
        WeightsError, ModelError: as for :func:`load_model`.
    """
    choice = choice.within(settings)
    if not base_spec(choice).precision:
        raise UsageError(f"{choice.name} is no network")
    return cast("Graph", _entry(choice)[1](choice, settings, progress))


def _quantised(choice: ModelChoice) -> Path:
    if choice.quantised is None:
        raise NotFittedError(f"{choice.name} has no int8 network for this dataset: run fit with `precision` int8 first")
    return choice.quantised


def _has_terms(name: str) -> bool:
    """Whether a text that ends like a description's path is several models instead: no file is there by that name."""
    return ("+" in name or "*" in name) and not is_file(name)


def _entry(choice: ModelChoice) -> Entry:
    if choice.is_description:
        return _described_spec, _described
    if choice.is_timm:
        return _timm_spec, _timm
    if choice.name in MODELS:
        return MODELS[choice.name]
    raise UsageError(
        f"there is no model {choice.name!r}: use {', '.join(MODELS)}, timm:NAME, or the path of a model's .toml "
        "description"
    )
