"""How sure is an answer? Asks the catalogue about itself, and keeps beside its features what each score stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import CalibrationError
from image_similarity.index import open_index
from image_similarity.models import resolve
from image_similarity.quality.calibration.learn import Calibrated, LearnOptions, learn
from image_similarity.quality.calibration.self_queries import MOST_TURNS, SelfQueries, sampled_rows
from image_similarity.quality.evaluation.candidates import Candidate
from image_similarity.quality.evaluation.held_out import held_out_models
from image_similarity.ranking import Gallery
from image_similarity.search import QueryScores, StoredCalibration, calibration_file, write_calibration
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, Database, FeatureStore
from image_similarity.types import Progress, no_progress
from image_similarity.util.plain_values import Record, fields_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.options import CalibrateOptions, ModelChoice
    from image_similarity.settings import Settings

    Turn = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CalibrateReport(Record):
    """What was measured and where it is kept. ``unread`` are images that could not be read any more."""

    dataset: str
    model_key: str
    file: Path
    calibrated: Calibrated
    unread: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """What was measured stands among the rest."""
        place = fields_of(self, without=("calibrated", "unread"))
        return {**place, **self.calibrated.as_dict(), "unread": plain(self.unread)}


def calibrate(
    dataset: Dataset,
    settings: Settings,
    model: ModelChoice,
    options: CalibrateOptions,
    progress: Progress = no_progress,
) -> CalibrateReport:
    """Measure which probability a score stands for, and keep that for ``search``.

    Images of the catalogue ask it, each as it is (itself left out) and as a simulated photo, and both once more with
    their whole product left out: those have no right answer.

    Args:
        dataset: the dataset, fitted with the model.
        settings: where the workspace is.
        model: the model.
        options: how many images ask, and how to learn.
        progress: told about the images.

    Raises:
        NotFittedError: no features of this model.
        CalibrationError: too few products, or their images are gone. What was kept before still stands.
        WeightsError, ModelError: the model cannot be had.
    """
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database:
        asked = resolve(model, dataset, settings, FeatureStore(database).has_networks_of)
        stored = open_index(asked.recipe, database, settings, None, progress)
        rows = sampled_rows(Gallery.of(stored), options.images, options.seed)
        turns = max(1, min(MOST_TURNS, options.images // max(1, len(rows))))
        parts, unread = _queries(Candidate("", asked, stored), (rows, turns), database, settings, progress)
    if not parts:
        raise CalibrationError(f"not one image of {dataset.name} can be read any more: run fit, then calibrate")
    calibrated = learn(parts, LearnOptions(known=options.known, seed=options.seed))
    path = calibration_file(settings, dataset, asked.key, len(stored.manifest.views))
    facts = calibrated.as_dict()
    write_calibration(path, StoredCalibration(calibrated.calibration, asked.key, stored.manifest.generation, facts))
    return CalibrateReport(dataset.name, asked.key, path, calibrated, unread)


def _queries(
    side: Candidate, asking: tuple[NDArray[np.intp], int], database: Database, settings: Settings, progress: Progress
) -> tuple[dict[str, QueryScores], list[str]]:
    """The queries of each kind, and the images that could not be read; ``asking`` are rows, and photos of each."""
    rows, turns = asking
    own = np.asarray(side.stored.grouping.row_product)[rows]
    records, folder = CatalogueRecords(database), Folders(settings.root).images(database.dataset)
    kinds, unread = dict[str, list[QueryScores]](), list[str]()
    with TemporaryDirectory() as place:
        for each, turned, forgotten in _sides(side, database, settings, Path(place)):
            asker = SelfQueries(Gallery.of(each.stored), each.model, settings, records, folder, turned)
            some = rows[forgotten[own]]
            for kind, queries in (asker.queries(some, turns, progress) if len(some) else {}).items():
                kinds.setdefault(kind, []).append(queries)
            unread += asker.unread
    return {kind: QueryScores.concatenated(queries) for kind, queries in kinds.items()}, unread


def _sides(
    side: Candidate, database: Database, settings: Settings, folder: Path
) -> Iterator[tuple[Candidate, Turn, Mask]]:
    """What is asked, how the model's vectors become its, and about which products ``(products,)``.

    What was learned from the catalogue is asked about products that it was made to forget: it would be too sure of
    those that it knows, and a customer's photo is none of them.
    """
    if side.model.learned is None:
        yield side, lambda vectors: vectors, np.ones(len(side.stored.grouping.products), bool)
        return
    for one in held_out_models(side, database, settings, folder):
        yield one.side, one.projection.apply, one.forgotten
