"""How sure is an answer? Asks the catalogue about itself, and keeps beside its features what each score stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.calibration.files import KeptCalibration, write_calibration
from image_similarity.calibration.learn import STANDARD, Calibrated, LearnOptions, learn
from image_similarity.errors import CalibrationError, UsageError
from image_similarity.features.database import Database
from image_similarity.features.records import CatalogueRecords
from image_similarity.images.views import ONE_VIEW
from image_similarity.index.build import fitted_views
from image_similarity.jobs.chosen import chosen
from image_similarity.jobs.own_questions import MOST_TURNS, Asker, sampled_rows
from image_similarity.jobs.sure import calibration_file
from image_similarity.ranking.gallery import Gallery
from image_similarity.settings import Folders
from image_similarity.types import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.embedding.choice import ModelChoice
    from image_similarity.settings import Settings

PICTURES = 600  # that ask, each as it is and as a photo; of fewer pictures there are several photos each


@dataclass(frozen=True, slots=True)
class CalibrateReport:
    """What was measured and where it is kept. ``unread`` are pictures that could not be read any more."""

    dataset: str
    model_key: str
    file: Path
    calibrated: Calibrated
    unread: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        place = {"dataset": self.dataset, "model_key": self.model_key, "file": str(self.file)}
        return {**place, **self.calibrated.as_dict(), "unread": list(self.unread)}


def calibrate(
    dataset: Dataset,
    settings: Settings,
    model: ModelChoice,
    progress: Progress = no_progress,
    *,
    pictures: int = PICTURES,
    options: LearnOptions = STANDARD,
) -> CalibrateReport:
    """Measure which probability a score stands for, and keep that for ``search``.

    Pictures of the catalogue ask it, each as it is (itself left out) and as a simulated photo, and both once more with
    their whole product left out: those have no right answer.

    Args:
        dataset: the dataset, fitted with the model.
        settings: where the workspace is.
        model: the model.
        progress: told about the pictures.
        pictures: how many ask at most; of as many products as there are.
        options: how to learn.

    Raises:
        UsageError: a share that is none.
        NotFittedError: no features of this model.
        CalibrationError: too few products, or their pictures are gone. What was kept before still stands.
        WeightsError, ModelError: the model cannot be had.
    """
    if not 0 < options.known < 1:
        raise UsageError(
            f"the share of photos whose product is in the catalogue is between 0 and 1, not {options.known}"
        )
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database:
        asked = chosen(model, database, dataset, settings)
        views = fitted_views(database, folders.index, asked.recipe()) if asked.is_stored(database) else ONE_VIEW
        stored = asked.index(database, settings, views, progress)
        gallery = Gallery.of(stored)
        asker = Asker(gallery, asked, settings, CatalogueRecords(database), folders.dataset / dataset.name)
        rows = sampled_rows(gallery, pictures, options.seed)
        turns = max(1, min(MOST_TURNS, pictures // max(1, len(rows))))
        parts = asker.questions(rows, turns, progress)
    if not parts:
        raise CalibrationError(f"not one picture of {dataset.name} can be read any more: run fit, then calibrate")
    calibrated = learn(parts, options)
    path = calibration_file(settings, dataset, asked.key, len(stored.manifest.views))
    facts = calibrated.as_dict()
    write_calibration(path, KeptCalibration(calibrated.calibration, asked.key, stored.manifest.generation, facts))
    return CalibrateReport(dataset.name, asked.key, path, calibrated, asker.unread)
