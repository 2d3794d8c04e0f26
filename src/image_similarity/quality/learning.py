"""Learn from a catalogue all that it teaches, when it has changed enough for it to matter: a projection of the model's
vectors, kept if it helps, then match probabilities."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from image_similarity.errors import AdaptationError, CalibrationError, NotFittedError, StoreError
from image_similarity.index import open_index
from image_similarity.models import ADAPTED_SUFFIX, projection_folder, read_projection
from image_similarity.options import CalibrateOptions
from image_similarity.quality.adaptation.job import learn_projection
from image_similarity.quality.calibration.job import calibrate, renew_calibration
from image_similarity.quality.calibration.learn import LEAST_PRODUCTS
from image_similarity.quality.catalogue_sketch import similarity, sketch_of
from image_similarity.quality.self_queries import PhotoSample, make_queries
from image_similarity.search import PHOTO
from image_similarity.settings import Folders
from image_similarity.store import Database
from image_similarity.util.plain_values import Record
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.models import Model
    from image_similarity.options import ModelChoice
    from image_similarity.quality.self_queries import MadeQueries
    from image_similarity.settings import Settings
    from image_similarity.types import Progress

CHANGED = 0.9
"""Similarity to the catalogue that was learned from, below which it is learned from again (docs/notes/quality.md)."""
RECORD = "learning.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Learning(Record):
    """What a catalogue has taught.

    Attributes:
        model: the model to use from now on: with ``+adapted`` if the projection helps.
        projection: how often the right product comes first before and after, and what was chosen: the fields of
            :class:`~image_similarity.quality.adaptation.learn.Learned`; None if there was too little to learn from.
        probabilities: the figures of the match probabilities of a search with one photo; None if there are none.
        reasons: why there is no projection, why it is not used, why there are no probabilities.
        new: whether it was learned now; else the catalogue has hardly changed since.
    """

    model: str
    projection: Mapping[str, Any] | None = None
    probabilities: Mapping[str, Any] | None = None
    reasons: tuple[str, ...] = ()
    new: bool = True

    @property
    def helps(self) -> bool:
        """Whether a projection was learned that helps."""
        return self.model.endswith(ADAPTED_SUFFIX)


def learn_from_catalogue(dataset: Dataset, settings: Settings, model: Model, progress: Progress) -> Learning:
    """Learn from a catalogue, unless that was done and it has hardly changed since.

    Args:
        dataset: the dataset, with features of the model.
        settings: the workspace's.
        model: resolved; whether it has a projection does not matter.
        progress: reports each step.

    Raises:
        WeightsError, ModelError: the model cannot be loaded.
        StoreError, OutputError: something cannot be read or written.
    """
    base = model.plain
    folder = projection_folder(settings, dataset, base.base_key)
    with Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout) as database:
        stored = open_index(base.recipe, database, settings, progress=progress)
        products = len(stored.grouping.products)
        if products < LEAST_PRODUCTS:
            few = f"the catalogue has {products} products, and at least {LEAST_PRODUCTS} are needed to learn from"
            return Learning(base.name, reasons=(few,))
        sketch = sketch_of(stored.identities)
        former = _read(folder)
        if former is not None and similarity(former["sketch"], sketch) >= CHANGED:
            learning = _learning(former["learning"], new=False)
            if _still_there(learning, dataset, settings, base, folder):
                return learning
        made = make_queries(stored, base, database, settings, PhotoSample(), progress)
    learning = _learn(dataset, settings, base.fitted_choice, made, progress)
    write_sealed(folder / RECORD, {"format": FORMAT, "sketch": sketch, "learning": learning})
    return learning


def _learn(
    dataset: Dataset, settings: Settings, choice: ModelChoice, made: MadeQueries, progress: Progress
) -> Learning:
    projection, probabilities, reasons = None, None, list[str]()
    name = choice.name
    try:
        report = learn_projection(dataset, settings, choice, progress, made=made)
        projection = report.learned.as_dict()
        if report.learned.helps:
            name = report.use
        else:
            reasons.append("what the catalogue teaches does not help products that it was not learned from")
    except AdaptationError as error:
        reasons.append(str(error))
    try:
        calibrated = calibrate(dataset, settings, replace(choice, name=name), CalibrateOptions(), progress, made)
        probabilities = calibrated.calibrated[PHOTO].as_dict()
    except CalibrationError as error:
        reasons.append(str(error))
    return Learning(name, projection, probabilities, tuple(reasons))


def _still_there(learning: Learning, dataset: Dataset, settings: Settings, base: Model, folder: Path) -> bool:
    """Whether nothing that was learned is gone or damaged; its match probabilities are then valid for the catalogue."""
    if learning.helps:
        try:
            read_projection(folder)
        except (NotFittedError, StoreError):
            return False
    learned = replace(base.fitted_choice, name=learning.model)
    return learning.probabilities is None or renew_calibration(dataset, settings, learned)


def _read(folder: Path) -> dict[str, Any] | None:
    """The record of what was learned before; None if there is none that can be used."""
    try:
        record = read_sealed(folder / RECORD)
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        raise StoreError(f"{folder / RECORD} cannot be read: {error}") from error
    return record if record.get("format") == FORMAT else None


def _learning(record: Mapping[str, Any], *, new: bool) -> Learning:
    return Learning(str(record["model"]), record["projection"], record["probabilities"], tuple(record["reasons"]), new)
