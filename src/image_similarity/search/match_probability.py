"""Is this it? What a search adds to its matches where the dataset has been calibrated."""

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

CALIBRATED = "best"  # the way of asking whose scores are calibrated
OLDER = "the match probabilities are older than the catalogue: run calibrate again"


@dataclass(frozen=True, slots=True)
class Judged:
    """Matches with their probabilities. ``no_match`` is None where nobody can say."""

    matches: list[ProductMatch]
    no_match: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class MatchProbabilities:
    """Says how sure matches are, where a calibration is at hand."""

    kept: StoredCalibration | None
    min_match: float | None = None
    note: str = ""

    @property
    def depth(self) -> int:
        """How many products it needs to see, however few are wanted."""
        return 0 if self.kept is None else DEPTH

    def __call__(self, matches: list[ProductMatch], plain: bool, number: int) -> Judged:
        """The first ``number`` matches, best first, less those below the least probability; and whether none is left.

        Args:
            matches: best first, :attr:`depth` of them or all that there are.
            plain: whether the photo is on a plain ground.
            number: how many are wanted.
        """
        if self.kept is None:
            return Judged(matches[:number], None, self.note)
        scores = np.array([[match.score for match in matches]], np.float64)
        likely = self.kept.calibration.probabilities(scores, np.array([plain]))[0] if matches else []
        sure = [replace(match, probability=round(float(p), 4)) for match, p in zip(matches, likely, strict=True)]
        least = 0.0 if self.min_match is None else self.min_match
        left = [match for match in sure[:number] if (match.probability or 0) >= least]
        notes = [self.note]
        if sure and not left:
            nearest = sure[0]
            notes.insert(0, f"no match: the nearest, {nearest.product_id}, has probability {nearest.probability:.0%}")
        return Judged(left, not left, "; ".join(note for note in notes if note))


def match_probabilities(
    path: Path, key: str, generation: int, scoring: str, min_match: float | None
) -> MatchProbabilities:
    """What says how probable matches of an index are.

    Args:
        path: where its calibration is kept, if there is one.
        key: the model's.
        generation: of the index.
        scoring: how the scores come about, see ``PreparedQuery.scoring``.
        min_match: the least probability, 0..1; None: all matches.

    Raises:
        UsageError: ``min_match`` needs other scores: those that were calibrated are of one photo, by the best pair.
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
    """The match probabilities of a model; the calibration's file is read again when it has changed.

    Args:
        path: where the calibration is kept, if there is one.
        key: the model's.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._key = path, key
        self._kept: tuple[int, int, MatchProbabilities] | None = None

    def of(self, scoring: str, min_match: float | None, generation: int) -> MatchProbabilities:
        """Those of one query's matches; see :func:`match_probabilities`."""
        if scoring != CALIBRATED or min_match is not None:
            return match_probabilities(self._path, self._key, generation, scoring, min_match)
        try:
            written = self._path.stat().st_mtime_ns
        except OSError:
            written = 0
        if self._kept is None or self._kept[:2] != (written, generation):
            kept = match_probabilities(self._path, self._key, generation, CALIBRATED, None)
            self._kept = written, generation, kept
        return self._kept[2]


def calibration_file(settings: Settings, dataset: Dataset, key: str, views: int) -> Path:
    """Where a dataset's calibration of a model is kept: for one view or for six, whose scores differ."""
    return settings.root / "calibrated" / dataset.label / f"{key}-{views}.json"
