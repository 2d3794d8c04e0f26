"""Add match probabilities to search results, where the dataset is calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from image_similarity.errors import NotFittedError, StoreError, UsageError
from image_similarity.options import AlsoCalibrated
from image_similarity.search.calibration.file import StoredCalibration, read_calibrations
from image_similarity.search.calibration.query_scores import DEPTH
from image_similarity.search.scoring import OPTIONS, Scoring

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.search.calibration.probabilities import Calibration
    from image_similarity.settings import Settings
    from image_similarity.types import ProductMatch

OLDER = "the match probabilities are older than the catalogue: run calibrate again"


@dataclass(frozen=True, slots=True)
class ProbableMatches:
    """Matches with their probabilities. ``no_match`` is None if there are no probabilities."""

    matches: list[ProductMatch]
    no_match: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class MatchProbabilities:
    """Adds probabilities to matches, if there is a calibration; ``note``: why there is none, or what is wrong."""

    calibration: Calibration | None
    min_match: float | None = None
    note: str = ""

    @property
    def depth(self) -> int:
        """How many matches it needs, even if fewer are returned."""
        return 0 if self.calibration is None else DEPTH

    def __call__(self, matches: list[ProductMatch], plain: bool, number: int) -> ProbableMatches:
        """The first ``number`` matches without those below ``min_match``, and whether none is left.

        Args:
            matches: best first; at least :attr:`depth`, or all that there are.
            plain: whether the photo has a plain background.
            number: how many matches to return.
        """
        if self.calibration is None:
            return ProbableMatches(matches[:number], None, self.note)
        scores = np.array([[match.score for match in matches]], np.float64)
        likely = self.calibration.probabilities(scores, np.array([plain]))[0] if matches else []
        probable = [replace(match, probability=round(float(p), 4)) for match, p in zip(matches, likely, strict=True)]
        least = 0.0 if self.min_match is None else self.min_match
        left = [match for match in probable[:number] if (match.probability or 0) >= least]
        notes = [self.note]
        if probable and not left:
            nearest = probable[0]
            notes.insert(0, f"no match: the nearest, {nearest.product_id}, has probability {nearest.probability:.0%}")
        return ProbableMatches(left, not left, "; ".join(note for note in notes if note))


class ProbabilityCache:
    """The match probabilities of a model; reads its calibrations' file again when that has changed.

    Args:
        path: the file, which may be missing.
        key: the model's key.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._cached: tuple[int, Mapping[str, StoredCalibration], str] | None = None

    @property
    def scorings(self) -> list[str]:
        """The scorings with match probabilities, keys of :data:`OPTIONS`."""
        return list(self._stored()[0])

    def of(self, scoring: Scoring, min_match: float | None, generation: int) -> MatchProbabilities:
        """The probabilities for one query.

        Args:
            scoring: how the query is scored.
            min_match: the minimum probability, 0..1; None: all matches.
            generation: the index's generation; a different one in the calibration adds a note.

        Raises:
            UsageError: ``min_match`` with a scoring that has no probabilities.
            NotFittedError: ``min_match`` needs a calibration and there is none of this scoring.
            StoreError: ``min_match`` needs a calibration and its file is damaged.
        """
        if scoring.reason and min_match is not None:
            raise UsageError(f"`min_match` cannot be used here: {scoring.reason}")
        calibrations, damage = self._stored()
        if damage and min_match is not None:
            raise StoreError(damage)
        one = calibrations.get(scoring.name)
        if one is not None:
            return MatchProbabilities(one.calibration, min_match, OLDER if one.generation != generation else "")
        if min_match is not None:
            raise NotFittedError(f"`min_match` needs match probabilities{_missing(scoring, bool(calibrations))}")
        if not calibrations:
            return MatchProbabilities(None, note=damage)
        return MatchProbabilities(None, note=scoring.reason or f"no match probabilities{_missing(scoring, True)}")

    def _stored(self) -> tuple[Mapping[str, StoredCalibration], str]:
        """The calibrations by scoring, and what is wrong with their file; both empty without a file."""
        try:
            written = self._path.stat().st_mtime_ns
        except OSError:
            written = 0
        if self._cached is None or self._cached[0] != written:
            try:
                self._cached = written, read_calibrations(self._path, self._key), ""
            except StoreError as error:
                self._cached = written, {}, str(error)
        return self._cached[1:]


def _missing(scoring: Scoring, calibrated: bool) -> str:
    """The end of a sentence: what is missing, and what to do; ``calibrated``: whether another scoring is calibrated."""
    if not calibrated:
        return ": run image-similarity calibrate first"
    also = f" with `also` {scoring.name}" if scoring.name in get_args(AlsoCalibrated) else ""
    return f" for {OPTIONS[scoring.name]}: run image-similarity calibrate{also} first"


def calibration_file(settings: Settings, dataset: Dataset, key: str, views: int) -> Path:
    """The path of a calibration; one view and six views have different scores, so each has a file."""
    return settings.root / "calibrated" / dataset.label / f"{key}-{views}.json"
