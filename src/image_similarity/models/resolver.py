"""From a model's name to the model: what is asked for is read once, and passed on as one :class:`Model`.

``auto`` becomes the precision that a dataset has features of, ``+adapted`` what was learned for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError
from image_similarity.models.default_model import read_default_model
from image_similarity.models.mixture import parse_expression
from image_similarity.models.model import Model, ModelPart
from image_similarity.models.precision import decided, processor_has_bf16
from image_similarity.models.registry import define, is_model
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


def named(choice: ModelChoice, dataset: Dataset, settings: Settings) -> Model:
    """The models that a choice names, before it is known what the dataset has of them.

    ``auto`` and int8 are fp32 here, and nothing is learned. Where no model is named it is the dataset's default.

    Raises:
        UsageError: it is not well formed, there is no such model, none of several has the precision that is asked for,
            or weights are given for several at once.
        ModelError: a description cannot be read.
        WeightsError: a model was never pulled, and only a pull tells what it is.
        StoreError: the file that names the default model is damaged.
    """
    if choice.name == IN_USE:
        choice = replace(choice, name=read_default_model(dataset, settings).model)
    expression = expression_of(choice)
    names = [part.name for part in expression.parts]
    parts = []
    for part in expression.parts:
        alone = replace(choice, name=part.name)
        if len(names) > 1:  # the precision goes to the networks among them
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
    """What a model's name means in a dataset.

    Args:
        model: as the user asked, or as :func:`named` found it.
        dataset: the dataset.
        settings: where the workspace is, and its preferred precision.
        has: whether there is what answers for a model in the precision that it has: features, or recommendations.
        fitting: features are to be computed; else an int8 network answers where there is nothing else.
        bf16: whether the processor computes in bf16; None: find out.

    Raises:
        UsageError, ModelError, WeightsError: as :func:`named`.
        NotFittedError: int8 is asked for and there is no int8 network yet.
    """
    base = model if isinstance(model, Model) else named(model, dataset, settings)
    if base.adapted:
        parts = base

        def learned(plain: Model) -> Model:
            return replace(plain, learned=projection_folder(settings, dataset, plain.base_key))

        found = _decided(parts, dataset, settings, lambda plain: has(learned(plain)), (fitting, bf16))
        return learned(found)
    return _decided(base, dataset, settings, has, (fitting, bf16))


def expression_of(choice: ModelChoice) -> Expression:
    """The names in a choice, which may be several side by side.

    Raises:
        UsageError: it is not well formed, or weights are given for several models at once.
    """
    expression = parse_expression(choice.name, is_model)
    if len(expression.parts) > 1 and (choice.weights is not None or choice.weights_digest is not None):
        raise UsageError("`weights` and `weights_digest` go with a single model, not with a mixture")
    return expression


def int8_folder(key: str, dataset: Dataset, settings: Settings) -> Path:
    """Where a dataset's int8 network of a model is kept, by the model's key at fp32."""
    return Folders(settings.root).models / "int8" / dataset.name / key


def projection_folder(settings: Settings, dataset: Dataset, base_key: str) -> Path:
    """Where what a dataset taught a model is kept, by the key of the model."""
    return settings.root / "adapted" / dataset.label / base_key


def _decided(
    model: Model,
    dataset: Dataset,
    settings: Settings,
    has: Callable[[Model], bool],
    how: tuple[bool, bool | None],
) -> Model:
    """The model in one precision for all of its networks."""
    fitting, bf16 = how
    if not model.has_networks:
        return model
    int8 = [int8_folder(part.definition.spec.key, dataset, settings) for part in model.parts]
    if model.choice.precision == "int8":
        return model.at("int8", int8)
    if model.choice.precision != "auto":
        return model
    stored = {precision for precision in FLOATING if has(model.at(precision))}
    if len(stored) == 1:  # nothing to prefer: the processor need not be asked
        return model.at(stored.pop())
    chosen = model.at(decided(stored, settings.precision, processor_has_bf16() if bf16 is None else bf16))
    if not fitting and not stored and len(model.parts) == 1 and int8[0].is_dir():
        quantised = model.at("int8", int8)
        return quantised if has(quantised) else chosen
    return chosen
