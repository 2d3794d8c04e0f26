"""Resolve a model's name, once, to a :class:`Model`.

``auto`` becomes the precision of the dataset's features, ``+adapted`` the projection that was learned for the dataset.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.models.default_model import read_default_model
from image_similarity.models.mixture import parse_expression
from image_similarity.models.model import Model, ModelPart
from image_similarity.models.precision import choose_precision, processor_has_bf16
from image_similarity.models.projection import record_file
from image_similarity.models.registry import define, is_model
from image_similarity.models.standard import recipe_of
from image_similarity.options import IN_USE
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models.mixture import Expression
    from image_similarity.options import ModelChoice
    from image_similarity.settings import Settings

FLOATING = ("fp32", "bf16")


def define_model(choice: ModelChoice, dataset: Dataset, settings: Settings) -> Model:
    """The model of a choice, before its precision and its projection are known; if it names none, the default model.

    ``auto`` and int8 are fp32 here, and there is no projection.

    Raises:
        UsageError: the name is malformed, there is no such model, or it does not have the requested precision, or
            weights are given for a mixture.
        ModelError: a description cannot be read.
        WeightsError: a model was never pulled, and is not known before.
        StoreError: the file that names the default model is damaged.
    """
    if choice.name == IN_USE:
        choice = replace(choice, name=read_default_model(dataset, settings).model)
    expression = expression_of(choice)
    if expression.recipe:
        choice = replace(choice, name=expression.name)
    names = [part.name for part in expression.parts]
    parts = []
    for part in expression.parts:
        alone = replace(choice, name=part.name)
        if len(names) > 1:  # a mixture's precision is for its networks only
            alone = replace(alone, precision="auto", force_int8=False)
        definition = define(alone, settings)
        parts.append(ModelPart(definition, definition.spec, part.weight))
    model = Model(choice, tuple(parts), adapted=expression.adapted)
    return model.at("bf16") if choice.precision == "bf16" else model


def resolve(
    model: ModelChoice | Model,
    dataset: Dataset,
    settings: Settings,
    has: Callable[[Model], bool],
    *,
    fitting: bool = False,
    bf16: bool | None = None,
) -> Model:
    """Resolve a model for a dataset.

    Args:
        model: the user's choice, or the result of :func:`define_model`.
        dataset: the dataset.
        settings: the workspace, and its preferred precision.
        has: whether the dataset has what the caller needs, features or recommendations, of a model at its precision.
        fitting: whether features will be computed; if not, an int8 network is used where there is nothing else.
        bf16: whether the processor computes in bf16; None: detect.

    Raises:
        UsageError, ModelError, WeightsError: as :func:`define_model`.
        NotFittedError: int8 is requested and there is no int8 network yet.
    """
    base = model if isinstance(model, Model) else define_model(model, dataset, settings)

    def on_device(model: Model) -> Model:
        if settings.device != "gpu":  # `auto` takes the GPU only where it gives the same features
            return model
        from image_similarity.models.device import with_gpu_keys

        return with_gpu_keys(model, settings)

    def complete(model: Model) -> Model:
        placed = on_device(model)
        return placed.with_projection(projection_folder(settings, dataset, placed.base_key)) if base.adapted else placed

    def needed(model: Model) -> bool:
        whole = complete(model)
        # To fit it, features are needed; the projection is learned from them.
        return (fitting or whole.learned is None or record_file(whole.learned).exists()) and has(whole)

    return complete(_at_precision(base, dataset, settings, needed, (fitting, bf16)))


def expression_of(choice: ModelChoice) -> Expression:
    """Parse the name in a choice, which may be a mixture.

    Raises:
        UsageError: it is malformed, or weights are given for a mixture.
    """
    recipe, name = recipe_of(choice.name)
    expression = replace(parse_expression(name, is_model), recipe=recipe)
    if len(expression.parts) > 1 and (choice.weights is not None or choice.weights_digest is not None):
        raise UsageError("`weights` and `weights_digest` go with a single model, not with a mixture")
    return expression


def int8_folder(key: str, dataset: Dataset, settings: Settings) -> Path:
    """The folder of a dataset's int8 network, by the model's key at fp32."""
    return Folders(settings.root).models / "int8" / dataset.name / key


def projection_folder(settings: Settings, dataset: Dataset, base_key: str) -> Path:
    """The folder of the projection that was learned on a dataset, by the key of the model."""
    return settings.root / "adapted" / dataset.label / base_key


def _at_precision(
    model: Model,
    dataset: Dataset,
    settings: Settings,
    has: Callable[[Model], bool],
    how: tuple[bool, bool | None],
) -> Model:
    """The model at one precision for all of its networks, chosen where the user did not."""
    fitting, bf16 = how
    if not model.has_networks:
        return model
    int8 = [int8_folder(part.definition.spec.key, dataset, settings) for part in model.parts]
    if model.choice.precision == "int8":
        return model.at("int8", int8)
    if model.choice.precision != "auto":
        return model
    stored = {precision for precision in FLOATING if has(model.at(precision))}
    if len(stored) == 1:  # no choice: the processor does not matter
        return model.at(stored.pop())
    chosen = model.at(choose_precision(stored, settings.precision, processor_has_bf16() if bf16 is None else bf16))
    if not fitting and not stored and len(model.parts) == 1 and int8[0].is_dir():
        quantised = model.at("int8", int8)
        return quantised if has(quantised) else chosen
    return chosen
