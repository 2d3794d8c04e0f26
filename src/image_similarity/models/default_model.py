"""A dataset's default model: the one that is used where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_similarity.errors import StoreError
from image_similarity.models.standard import LATEST
from image_similarity.util.plain_values import Record
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models.mixture import Expression
    from image_similarity.settings import Settings

MAX_BEFORE = 10  # former default models
BY_FIT, BY_USE = "fit", "use"


@dataclass(frozen=True, slots=True)
class DefaultModel(Record):
    """A dataset's default model, and its former ones, latest first.

    ``chosen_by``: ``fit`` if it is the first that the dataset was fitted with, ``use`` if the user chose it; empty
    before both.
    """

    dataset: str
    model: str
    before: tuple[str, ...] = ()
    chosen_by: str = ""


def read_default_model(dataset: Dataset, settings: Settings) -> DefaultModel:
    """The model that was set by :func:`set_default_model`, else the latest ``standard``.

    Raises:
        StoreError: its file is damaged.
    """
    path = default_model_file(dataset, settings)
    try:
        kept = read_sealed(path)
        before = tuple(str(each) for each in kept["before"])
        return DefaultModel(dataset.name, str(kept["model"]), before, str(kept["chosen_by"]))
    except FileNotFoundError:
        return DefaultModel(dataset.name, LATEST)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Run use again, or remove the file") from error


def set_default_model(
    dataset: Dataset, settings: Settings, chosen: Expression, chosen_by: str = BY_USE
) -> DefaultModel:
    """Make a model the default, and remember the former ones.

    Raises:
        OutputError: it cannot be written; the former default stays.
    """
    path = default_model_file(dataset, settings)
    try:
        former = read_default_model(dataset, settings)
        known = [former.model, *former.before] if path.exists() else []
    except StoreError:  # damaged: only the former ones are lost
        known = []
    name = chosen.name
    before = [each for each in known if each != name][:MAX_BEFORE]
    write_sealed(path, {"model": name, "before": before, "chosen_by": chosen_by})
    return DefaultModel(dataset.name, name, tuple(before), chosen_by)


def default_model_file(dataset: Dataset, settings: Settings) -> Path:
    """The file that names the default model; it does not exist before the first :func:`set_default_model`."""
    return settings.root / "in_use" / f"{dataset.label}.json"
