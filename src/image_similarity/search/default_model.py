"""Which model a dataset is asked with where nobody names one; another takes its place in one step, and may go back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import NotFittedError, StoreError
from image_similarity.models.mixture import Expression
from image_similarity.models.table import DEFAULT_CHOICE, DEFAULT_MODEL, expression_of
from image_similarity.search.chosen import chosen_by_dictionary
from image_similarity.settings import Folders
from image_similarity.store.database import Database
from image_similarity.store.recommendations import RecommendationStore
from image_similarity.util.plain_values import Record
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset
    from image_similarity.models.choice import ModelChoice
    from image_similarity.settings import Settings

REMEMBERED = 10  # models that were in use before


@dataclass(frozen=True, slots=True)
class InUse(Record):
    """A dataset's model, and those that were in use before, latest first."""

    dataset: str
    model: str
    before: tuple[str, ...] = ()


def model_in_use(dataset: Dataset, settings: Settings) -> InUse:
    """The model that a dataset is asked with: the one that :func:`use` named, else the first version's.

    Raises:
        StoreError: the file that says so is damaged.
    """
    path = in_use_file(dataset, settings)
    try:
        kept = read_sealed(path)
        return InUse(dataset.name, str(kept["model"]), tuple(str(each) for each in kept["before"]))
    except FileNotFoundError:
        return InUse(dataset.name, DEFAULT_MODEL)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} cannot be read: {error}. Run use again, or remove the file") from error


def use(dataset: Dataset, settings: Settings, model: ModelChoice = DEFAULT_CHOICE) -> InUse:
    """Ask a dataset with this model from now on, wherever none is named. Any earlier one may be used again.

    Raises:
        NotFittedError: the dataset has no recommendations of this model: it is fitted first, while the other one
            answers.
        UsageError, ModelError: there is no such model.
        OutputError: it cannot be written; the one before stays.
    """
    folders = Folders(settings.root)
    with Database.one_state_if_fitted(folders.database, dataset, settings.lock_timeout) as database:
        store = RecommendationStore(database, folders.trained_models, dataset)
        is_fitted = store.has(chosen_by_dictionary(model, dataset, settings, store.has).key)
    if not is_fitted:
        raise NotFittedError(
            f"{dataset.name} is not fitted with {model.name}: run fit with that model first; the model in use goes on "
            "answering meanwhile"
        )
    try:
        former = model_in_use(dataset, settings)
        known = [former.model, *former.before] if in_use_file(dataset, settings).exists() else []
    except StoreError:  # damaged: what was before is lost, what is asked for now is not
        known = []
    name = _anywhere(expression_of(model))
    before = [each for each in known if each != name][:REMEMBERED]
    now = InUse(dataset.name, name, tuple(before))
    write_sealed(in_use_file(dataset, settings), {"model": name, "before": before})
    return now


def in_use_file(dataset: Dataset, settings: Settings) -> Path:
    """Where it is kept which model that is; there is none before the first :func:`use`."""
    return settings.root / "in_use" / f"{dataset.label}.json"


def _anywhere(expression: Expression) -> str:
    """The expression with the paths of descriptions made whole: it is read from other folders too."""
    terms = []
    for part in expression.parts:
        name = str(Path(part.name).resolve()) if part.name.endswith(".toml") else part.name
        terms.append(name if part.weight == 1 else f"{part.weight:g}*{name}")
    return "+".join([*terms, *(["adapted"] if expression.adapted else [])])
