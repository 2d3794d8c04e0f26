"""Add match probabilities to search results, where the dataset is calibrated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from image_similarity.errors import NotFittedError, StoreError, UsageError
from image_similarity.search.calibration.file import StoredCalibration, read_calibration
from image_similarity.search.calibration.query_scores import DEPTH

if TYPE_CHECKING:
    from pathlib import Path

    from image_similarity.dataset import Dataset
    from image_similarity.settings import Settings
    from image_similarity.types import ProductMatch

CALIBRATED = "best"  # the scoring that calibration measures: one photo, best pair
OLDER = "the match probabilities are older than the catalogue: run calibrate again"


@dataclass(frozen=True, slots=True)
class ProbableMatches:
    """Matches with their probabilities. ``no_match`` is None if the dataset is not calibrated."""

    matches: list[ProductMatch]
    no_match: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class MatchProbabilities:
    """Adds probabilities to matches, if there is a calibration."""

    kept: StoredCalibration | None
    min_match: float | None = None
    note: str = ""

    @property
    def depth(self) -> int:
        """How many matches it needs, even if fewer are returned."""
        return 0 if self.kept is None else DEPTH

    def __call__(self, matches: list[ProductMatch], plain: bool, number: int) -> ProbableMatches:
        """The first ``number`` matches without those below ``min_match``, and whether none is left.

        Args:
            matches: best first; at least :attr:`depth`, or all that there are.
            plain: whether the photo has a plain background.
            number: how many matches to return.
        """
        if self.kept is None:
            return ProbableMatches(matches[:number], None, self.note)
        scores = np.array([[match.score for match in matches]], np.float64)
        likely = self.kept.calibration.probabilities(scores, np.array([plain]))[0] if matches else []
        probable = [replace(match, probability=round(float(p), 4)) for match, p in zip(matches, likely, strict=True)]
        least = 0.0 if self.min_match is None else self.min_match
        left = [match for match in probable[:number] if (match.probability or 0) >= least]
        notes = [self.note]
        if probable and not left:
            nearest = probable[0]
            notes.insert(0, f"no match: the nearest, {nearest.product_id}, has probability {nearest.probability:.0%}")
        return ProbableMatches(left, not left, "; ".join(note for note in notes if note))


def match_probabilities(
    path: Path, key: str, generation: int, scoring: str, min_match: float | None
) -> MatchProbabilities:
    """The match probabilities of a model, read from its calibration.

    Args:
        path: the calibration's file, which may be missing.
        key: the model's key.
        generation: the index's generation; a different one in the file adds a note.
        scoring: how the scores are computed, see ``PreparedQuery.scoring``.
        min_match: the minimum probability, 0..1; None: all matches.

    Raises:
        UsageError: ``min_match`` with scores that are not calibrated: only those of one photo by the best pair are.
        NotFittedError: ``min_match`` needs a calibration and there is none.
        StoreError: ``min_match`` needs a calibration and it is damaged.
    """
    if scoring != CALIBRATED:
        if min_match is not None:
            raise UsageError(f"`min_match` works with `aggregate` {CALIBRATED} only, not with {scoring}")
        return MatchProbabilities(None)
    try:
        kept = read_calibration(path, key)
    except StoreError as error:
        if min_match is not None:
            raise
        return MatchProbabilities(None, note=str(error))
    if kept is None and min_match is not None:
        raise NotFittedError(
            f"`min_match` needs match probabilities (there is no {path}): run image-similarity calibrate first"
        )
    return MatchProbabilities(kept, min_match, OLDER if kept and kept.generation != generation else "")


class ProbabilityCache:
    """Caches the match probabilities of a model, and reads the calibration's file again when it has changed.

    Args:
        path: the calibration's file, which may be missing.
        key: the model's key.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._cached: tuple[int, int, MatchProbabilities] | None = None

    def of(self, scoring: str, min_match: float | None, generation: int) -> MatchProbabilities:
        """The probabilities for one query; see :func:`match_probabilities`."""
        if scoring != CALIBRATED or min_match is not None:
            return match_probabilities(self._path, self._key, generation, scoring, min_match)
        try:
            written = self._path.stat().st_mtime_ns
        except OSError:
            written = 0
        if self._cached is None or self._cached[:2] != (written, generation):
            probabilities = match_probabilities(self._path, self._key, generation, CALIBRATED, None)
            self._cached = written, generation, probabilities
        return self._cached[2]


def calibration_file(settings: Settings, dataset: Dataset, key: str, views: int) -> Path:
    """The path of a calibration; one view and six views have different scores, so each has a file."""
    return settings.root / "calibrated" / dataset.label / f"{key}-{views}.json"
