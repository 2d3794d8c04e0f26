"""Read and write the calibrations of one model and its views: small JSON, a record for each scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.errors import StoreError
from image_similarity.search.calibration.probabilities import Calibration, ProbabilityCurve
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 3
AGAIN = "Run calibrate again"


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """The calibration of one scoring, with what its file records about it.

    Attributes:
        calibration: the curves.
        generation: the dataset's generation when it was measured.
        facts: how it was measured, and its calibration error; plain values.
    """

    calibration: Calibration
    generation: int
    facts: Mapping[str, Any]


def write_calibrations(path: Path, model_key: str, calibrations: Mapping[str, StoredCalibration]) -> None:
    """Write the calibrations of a model by scoring; they replace the previous ones atomically.

    Raises:
        OutputError: they cannot be written; the previous ones are unchanged.
    """
    scorings = {
        name: {"generation": each.generation, "facts": each.facts}
        | {"plain": each.calibration.plain, "scene": each.calibration.scene}
        for name, each in calibrations.items()
    }
    write_sealed(path, {"format": FORMAT, "model": model_key, "scorings": scorings})


def read_calibrations(path: Path, model_key: str) -> dict[str, StoredCalibration]:
    """Read the calibrations of a model by scoring; none if there is no file.

    Raises:
        StoreError: the file is damaged, or of another model.
    """
    try:
        record = read_sealed(path)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}. {AGAIN}") from error
    if record.get("format") != FORMAT or record.get("model") != model_key:
        raise StoreError(f"{path} is no calibration of {model_key} of format {FORMAT}. {AGAIN}")
    try:
        return {str(name): _calibration(each) for name, each in record["scorings"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{path} is damaged: {error}. {AGAIN}") from error


def _calibration(record: Mapping[str, Any]) -> StoredCalibration:
    plain, scene = (ProbabilityCurve.from_dict(record[name]) for name in ("plain", "scene"))
    return StoredCalibration(Calibration(plain, scene), int(record["generation"]), dict(record["facts"]))
