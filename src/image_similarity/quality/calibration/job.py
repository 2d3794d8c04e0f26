"""Learn match probabilities: query the catalogue with its own images, and store curves from score to probability."""

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
from image_similarity.quality.calibration.self_queries import MOST_PHOTOS, SelfQueries, sampled_rows
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

    Project = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CalibrateReport(Record):
    """What was learned and where it is stored. ``unread``: ids of images that can no longer be read."""

    dataset: str
    model_key: str
    file: Path
    calibrated: Calibrated
    unread: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The calibration's figures are merged into the top level."""
        place = fields_of(self, without=("calibrated", "unread"))
        return {**place, **self.calibrated.as_dict(), "unread": plain(self.unread)}


def calibrate(
    dataset: Dataset,
    settings: Settings,
    model: ModelChoice,
    options: CalibrateOptions,
    progress: Progress = no_progress,
) -> CalibrateReport:
    """Learn the match probability of each score, and store it for ``search``.

    The queries are images of the catalogue, each as it is (the image itself left out) and as a simulated photo, and
    both again with their whole product left out: those have no right answer.

    Args:
        dataset: the dataset, fitted with the model.
        settings: where the workspace is.
        model: the model.
        options: how many images to query with, and how to learn.
        progress: reports the images.

    Raises:
        NotFittedError: no features of this model.
        CalibrationError: too few products, or their images cannot be read. An earlier calibration is kept.
        WeightsError, ModelError: the model cannot be loaded.
    """
    folders = Folders(settings.root)
    with Database(folders.database, dataset, timeout=settings.lock_timeout) as database:
        resolved = resolve(model, dataset, settings, FeatureStore(database).has_networks_of)
        stored = open_index(resolved.recipe, database, settings, None, progress)
        rows = sampled_rows(Gallery.of(stored), options.images, options.seed)
        copies = max(1, min(MOST_PHOTOS, options.images // max(1, len(rows))))
        parts, unread = _queries(Candidate("", resolved, stored), (rows, copies), database, settings, progress)
    if not parts:
        raise CalibrationError(f"not one image of {dataset.name} can be read any more: run fit, then calibrate")
    calibrated = learn(parts, LearnOptions(known_share=options.known, seed=options.seed))
    path = calibration_file(settings, dataset, resolved.key, len(stored.manifest.views))
    facts = calibrated.as_dict()
    write_calibration(path, StoredCalibration(calibrated.calibration, resolved.key, stored.manifest.generation, facts))
    return CalibrateReport(dataset.name, resolved.key, path, calibrated, unread)


def _queries(
    candidate: Candidate,
    sample: tuple[NDArray[np.intp], int],
    database: Database,
    settings: Settings,
    progress: Progress,
) -> tuple[dict[str, QueryScores], list[str]]:
    """The queries by kind, and the images that cannot be read; ``sample``: rows, and simulated photos of each."""
    rows, copies = sample
    own = np.asarray(candidate.stored.grouping.row_product)[rows]
    records, folder = CatalogueRecords(database), Folders(settings.root).images(database.dataset)
    kinds, unread = dict[str, list[QueryScores]](), list[str]()
    with TemporaryDirectory() as place:
        for each, project, products in _folds(candidate, database, settings, Path(place)):
            self_queries = SelfQueries(Gallery.of(each.stored), each.model, settings, records, folder, project)
            some = rows[products[own]]
            for kind, queries in (self_queries.queries(some, copies, progress) if len(some) else {}).items():
                kinds.setdefault(kind, []).append(queries)
            unread += self_queries.unread
    return {kind: QueryScores.concatenated(queries) for kind, queries in kinds.items()}, unread


def _folds(
    candidate: Candidate, database: Database, settings: Settings, folder: Path
) -> Iterator[tuple[Candidate, Project, Mask]]:
    """The candidate to search, the projection from the model's vectors to its, and the products to query with.

    An adapted model is queried only with products that were held out of its learning: for the others its scores are
    too high, and a customer's photo is none of those it learned from.
    """
    if candidate.model.learned is None:
        yield candidate, lambda vectors: vectors, np.ones(len(candidate.stored.grouping.products), bool)
        return
    for one in held_out_models(candidate, database, settings, folder):
        yield one.candidate, one.projection.apply, one.products
