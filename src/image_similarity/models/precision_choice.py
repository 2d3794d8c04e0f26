"""Which features a job is about: ``auto`` becomes what the dataset has, int8 the network that was made for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from image_similarity.models.precision import decided, key_at, processor_has_bf16
from image_similarity.models.table import base_spec, model_spec
from image_similarity.settings import Folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models.choice import ModelChoice
    from image_similarity.settings import Settings


def for_fit(
    model: ModelChoice, dataset: Dataset, settings: Settings, has: Callable[[str], bool], *, bf16: bool | None = None
) -> ModelChoice:
    """The precision to compute a dataset's features in: the one that it has features of, else the preferred one.

    Args:
        model: as the user asked.
        dataset: the dataset.
        settings: where the workspace is, and its wish.
        has: tells whether a key's features, or answers, are there.
        bf16: whether the processor computes in bf16; None: find out.

    Raises:
        UsageError, ModelError: there is no such model.
    """
    model = model.within(settings)
    spec = base_spec(model)
    if not spec.precision:
        return model
    if model.precision == "int8":
        folder = int8_folder(spec.key, dataset, settings)
        return replace(model, quantised=folder if folder.is_dir() else None)
    if model.precision != "auto":
        return model
    stored = {each for each in ("fp32", "bf16") if has(key_at(spec.key, each))}
    if len(stored) == 1:  # nothing to prefer: the processor need not be asked
        return replace(model, precision="bf16" if "bf16" in stored else "fp32")
    able = processor_has_bf16() if bf16 is None else bf16
    return replace(model, precision=decided(stored, settings.precision, able))


def for_question(
    model: ModelChoice, dataset: Dataset, settings: Settings, has: Callable[[str], bool], *, bf16: bool | None = None
) -> ModelChoice:
    """The precision to ask a dataset in: as :func:`for_fit`, and int8 where it was fitted with nothing else."""
    chosen = for_fit(model, dataset, settings, has, bf16=bf16)
    model = model.within(settings)
    spec = base_spec(model)
    if model.precision == "auto" and spec.precision and not has(model_spec(chosen).key):
        folder = int8_folder(spec.key, dataset, settings)
        if folder.is_dir():
            int8 = replace(model, precision="int8", quantised=folder)
            return int8 if has(model_spec(int8).key) else chosen
    return chosen


def int8_folder(key: str, dataset: Dataset, settings: Settings) -> Path:
    """Where a dataset's int8 network of a model is kept, by the model's key at fp32."""
    return Folders(settings.root).models / "int8" / dataset.name / key
