"""Learn match probabilities: query the catalogue with its own images, and store curves from score to probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import CalibrationError, StoreError
from image_similarity.index import open_index
from image_similarity.models import resolve
from image_similarity.quality.calibration.learn import Calibrated, LearnOptions, learn
from image_similarity.quality.calibration.self_queries import MOST_PHOTOS, SelfQueries, sampled_rows
from image_similarity.quality.calibration.self_scores import self_scores
from image_similarity.quality.evaluation.candidates import Candidate
from image_similarity.quality.evaluation.held_out import held_out_models
from image_similarity.ranking import Gallery
from image_similarity.search import (
    CROPS,
    OPTIONS,
    PHOTO,
    SEVERAL,
    QueryScores,
    StoredCalibration,
    calibration_file,
    read_calibrations,
    supported_matches,
    write_calibrations,
)
from image_similarity.settings import Folders
from image_similarity.store import CatalogueRecords, Database, FeatureStore
from image_similarity.types import Progress, no_progress
from image_similarity.util.plain_values import Record, fields_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.options import CalibrateOptions, ModelChoice
    from image_similarity.settings import Settings

    Project = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CalibrateReport(Record):
    """What was learned and where it is stored.

    Attributes:
        dataset, model_key, file: of what, and the file.
        calibrated: for each scoring what was learned, and how good it is.
        skipped: the scorings with too few products, each with the reason.
        kept: the scorings whose earlier calibration stays in the file.
        unread: ids of images that can no longer be read.
    """

    dataset: str
    model_key: str
    file: Path
    calibrated: Mapping[str, Calibrated]
    skipped: Mapping[str, str]
    kept: Sequence[str] = ()
    unread: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields; ``scorings`` holds the figures of each."""
        place = fields_of(self, without=("calibrated", "skipped", "kept", "unread"))
        rest = {name: plain(getattr(self, name)) for name in ("skipped", "kept", "unread")}
        return {**place, "scorings": plain(self.calibrated), **rest}


def calibrate(
    dataset: Dataset,
    settings: Settings,
    model: ModelChoice,
    options: CalibrateOptions,
    progress: Progress = no_progress,
) -> CalibrateReport:
    """Learn the match probability of each score, and store it for ``search``.

    The queries are images of the catalogue, each as it is (the image itself left out) and as a simulated photo, and
    both again with their whole product left out: those have no right answer. They are scored as searches with one photo
    are, as those with ``match`` if the model supports it, and as those that ``options.also`` names.

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
        scorings = [PHOTO, *supported_matches(resolved), *dict.fromkeys(options.also)]
        rows = sampled_rows(Gallery.of(stored), options.images, options.seed)
        copies = min(MOST_PHOTOS, max(options.images // max(1, len(rows)), 2 if SEVERAL in scorings else 1))
        sample = _Sample(rows, copies, scorings)
        parts, unread = _queries(Candidate("", resolved, stored), sample, database, settings, progress)
    if not any(parts[PHOTO].values()):
        raise CalibrationError(f"not one image of {dataset.name} can be read any more: run fit, then calibrate")
    calibrated, skipped = _learned(parts, LearnOptions(known_share=options.known, seed=options.seed))
    path = calibration_file(settings, dataset, resolved.key, len(stored.manifest.views))
    kept = _earlier(path, resolved.key, calibrated)
    generation = stored.manifest.generation
    new = {name: StoredCalibration(one.calibration, generation, one.as_dict()) for name, one in calibrated.items()}
    write_calibrations(path, resolved.key, {**new, **kept})
    return CalibrateReport(dataset.name, resolved.key, path, calibrated, skipped, list(kept), unread)


def _learned(
    parts: Mapping[str, Mapping[str, QueryScores]], options: LearnOptions
) -> tuple[dict[str, Calibrated], dict[str, str]]:
    """What is learned of each scoring, and why it is not; that of one photo is needed."""
    calibrated, skipped = dict[str, Calibrated](), dict[str, str]()
    for scoring, kinds in parts.items():
        try:
            calibrated[scoring] = learn(kinds, options)
        except CalibrationError as error:
            if scoring == PHOTO:
                raise
            skipped[scoring] = str(error)
    return calibrated, skipped


def _earlier(path: Path, key: str, calibrated: Container[str]) -> dict[str, StoredCalibration]:
    """Earlier calibrations of other scorings; searches note that they are older than the catalogue, once it changes."""
    try:
        stored = read_calibrations(path, key)
    except StoreError:  # it is replaced
        return {}
    return {name: each for name, each in stored.items() if name in OPTIONS and name not in calibrated}


@dataclass(frozen=True, slots=True)
class _Sample:
    """The rows to query with, the simulated photos of each, and the scorings."""

    rows: NDArray[np.intp]
    copies: int
    scorings: Sequence[str]


def _queries(
    candidate: Candidate, sample: _Sample, database: Database, settings: Settings, progress: Progress
) -> tuple[dict[str, dict[str, QueryScores]], list[str]]:
    """The queries by scoring and kind, and the images that cannot be read."""
    own = np.asarray(candidate.stored.grouping.row_product)[sample.rows]
    records, folder = CatalogueRecords(database), Folders(settings.root).images(database.dataset)
    found, unread = [dict[str, dict[str, QueryScores]]()], list[str]()
    with TemporaryDirectory() as place:
        for each, project, products in _folds(candidate, database, settings, Path(place)):
            gallery, rows = Gallery.of(each.stored), sample.rows[products[own]]
            self_queries = SelfQueries(
                gallery, each.model, settings, records, folder, project, CROPS in sample.scorings
            )
            queries = self_queries.queries(rows, sample.copies, progress) if len(rows) else []
            found.append(self_scores(queries, gallery, each.model, sample.scorings))
            unread += self_queries.unread
    return {scoring: _merged([each.get(scoring, {}) for each in found]) for scoring in sample.scorings}, unread


def _merged(parts: Sequence[Mapping[str, QueryScores]]) -> dict[str, QueryScores]:
    """The queries of all folds by kind."""
    kinds = dict.fromkeys(kind for part in parts for kind in part)
    return {kind: QueryScores.concatenated([part[kind] for part in parts if kind in part]) for kind in kinds}


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
