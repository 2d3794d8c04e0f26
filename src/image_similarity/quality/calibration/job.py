"""Learn match probabilities: query the catalogue with its own images, and store curves from score to probability."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from image_similarity.errors import CalibrationError, StoreError
from image_similarity.index import open_index
from image_similarity.models import resolve
from image_similarity.quality.calibration.learn import Calibrated, LearnOptions, learn
from image_similarity.quality.calibration.self_scores import self_scores
from image_similarity.quality.evaluation.candidates import Candidate
from image_similarity.quality.evaluation.held_out import held_out_models
from image_similarity.quality.self_queries import PhotoSample, make_queries
from image_similarity.ranking import Gallery
from image_similarity.search import (
    COLOUR,
    CROPS,
    OPTIONS,
    PHOTO,
    SEVERAL,
    SHAPE,
    QueryScores,
    StoredCalibration,
    calibration_file,
    read_calibrations,
    supported_matches,
    write_calibrations,
)
from image_similarity.settings import Folders
from image_similarity.store import Database, FeatureStore
from image_similarity.types import Progress, no_progress
from image_similarity.util.plain_values import Record, fields_of, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from image_similarity.dataset import Dataset
    from image_similarity.models import Model
    from image_similarity.options import CalibrateOptions, ModelChoice
    from image_similarity.quality.self_queries import MadeQueries, SelfQuery
    from image_similarity.settings import Settings

    Project = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    Mask = NDArray[np.bool_]


PARTS = (SHAPE, COLOUR)
"""The scorings that need the parts of a model; a learned model has those of the model without its projection."""


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
    made: MadeQueries | None = None,
) -> CalibrateReport:
    """Learn the match probability of each score, and store it for ``search``.

    The queries are images of the catalogue, each as it is (the image itself left out) and as a simulated photo, and
    both again with their whole product left out: those have no right answer. They are scored as searches with one photo
    are, as those with ``match`` if the model supports it, and as those that ``options.also`` names. Searches with
    ``match`` are answered without a projection, so theirs are stored with the model without it.

    Args:
        dataset: the dataset, fitted with the model.
        settings: where the workspace is.
        model: the model.
        options: how many images to query with, and how to learn.
        progress: reports the images.
        made: queries that were made of this catalogue with this model; None: make them.

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
        sample = PhotoSample(options.images, options.seed, 2 if SEVERAL in scorings else 1, CROPS in scorings)
        if made is None or not made.suit(sample, stored):
            made = make_queries(stored, resolved, database, settings, sample, progress)
        parts = _parts(Candidate("", resolved, stored), made.queries, scorings, (database, settings))
        apart = resolved.plain if resolved.learned is not None else None
        if apart is not None and (matches := supported_matches(apart)):
            unlearned = open_index(apart.recipe, database, settings, None, progress)
            of_parts = _parts(Candidate("", apart, unlearned), made.queries, matches, (database, settings))
        else:
            of_parts = {}
    if not any(parts[PHOTO].values()):
        raise CalibrationError(f"not one image of {dataset.name} can be read any more: run fit, then calibrate")
    learn_options = LearnOptions(known_share=options.known, seed=options.seed)
    calibrated, skipped = _learned(parts, learn_options)
    generation, views = stored.manifest.generation, len(stored.manifest.views)
    path = calibration_file(settings, dataset, resolved.key, views)
    kept = _store(path, resolved.key, calibrated, generation)
    if of_parts and apart is not None:
        also, too_few = _learned(of_parts, learn_options)
        _store(calibration_file(settings, dataset, apart.key, views), apart.key, also, generation)
        calibrated, skipped = {**calibrated, **also}, {**skipped, **too_few}
    return CalibrateReport(dataset.name, resolved.key, path, calibrated, skipped, kept, made.unread)


def renew_calibration(dataset: Dataset, settings: Settings, model: ModelChoice) -> bool:
    """Declare match probabilities valid for a catalogue that has hardly changed; returns whether none is missing.

    Raises:
        NotFittedError: no features of this model.
        OutputError: the file cannot be written.
    """
    with Database(Folders(settings.root).database, dataset, timeout=settings.lock_timeout) as database:
        resolved = resolve(model, dataset, settings, FeatureStore(database).has_networks_of)
        stored = open_index(resolved.recipe, database, settings, None)
    generation, views = stored.manifest.generation, len(stored.manifest.views)
    found = _renew(calibration_file(settings, dataset, resolved.key, views), resolved, generation, OPTIONS)
    if resolved.learned is None:
        return PHOTO in found
    apart = resolved.plain
    of_parts = _renew(calibration_file(settings, dataset, apart.key, views), apart, generation, PARTS)
    return PHOTO in found and of_parts.issuperset(supported_matches(apart))


def _renew(path: Path, model: Model, generation: int, scorings: Container[str]) -> set[str]:
    """Make a file's calibrations of some scorings those of a generation; all scorings that it has."""
    try:
        calibrations = read_calibrations(path, model.key)
    except StoreError:
        return set()
    renewed = {
        name: replace(each, generation=generation) if name in scorings else each for name, each in calibrations.items()
    }
    if renewed != calibrations:
        write_calibrations(path, model.key, renewed)
    return set(calibrations)


def _store(path: Path, key: str, calibrated: Mapping[str, Calibrated], generation: int) -> list[str]:
    """Write what was learned; the scorings whose earlier calibration stays."""
    kept = _earlier(path, key, calibrated)
    new = {name: StoredCalibration(one.calibration, generation, one.as_dict()) for name, one in calibrated.items()}
    write_calibrations(path, key, {**new, **kept})
    return list(kept)


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


def _parts(
    candidate: Candidate, queries: Sequence[SelfQuery], scorings: Sequence[str], where: tuple[Database, Settings]
) -> dict[str, dict[str, QueryScores]]:
    """The scores of the queries by scoring and kind."""
    found = [dict[str, dict[str, QueryScores]]()]
    with TemporaryDirectory() as place:
        for each, project, products in _folds(candidate, *where, Path(place)):
            gallery = Gallery.of(each.stored)
            some = [query.projected(project) for query in queries if products[gallery.row_product[query.row]]]
            found.append(self_scores(some, gallery, each.model, scorings))
    return {scoring: _merged([each.get(scoring, {}) for each in found]) for scoring in scorings}


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
