"""Read and write the calibration file: small JSON, for one model and the views that it was measured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_similarity.errors import StoreError
from image_similarity.search.calibration.probabilities import Calibration, ProbabilityCurve
from image_similarity.util.sealed_json import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1
AGAIN = "Run calibrate again"


@dataclass(frozen=True, slots=True)
class StoredCalibration:
    """A calibration with what its file records about it.

    Attributes:
        calibration: the curves.
        model_key: the model whose scores it calibrates.
        generation: the dataset's generation when it was measured.
        facts: how it was measured, and its calibration error; plain values.
    """

    calibration: Calibration
    model_key: str
    generation: int
    facts: Mapping[str, Any]


def write_calibration(path: Path, kept: StoredCalibration) -> None:
    """Write a calibration; it replaces the previous one atomically.

    Raises:
        OutputError: it cannot be written; the previous one is unchanged.
    """
    record = {
        "format": FORMAT,
        "model": kept.model_key,
        "generation": kept.generation,
        "facts": kept.facts,
        "plain": kept.calibration.plain,
        "scene": kept.calibration.scene,
    }
    write_sealed(path, record)


def read_calibration(path: Path, model_key: str) -> StoredCalibration | None:
    """Read the calibration of a model; None if there is no file.

    Raises:
        StoreError: the file is damaged, or of another model.
    """
    try:
        record = read_sealed(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}. {AGAIN}") from error
    if record.get("format") != FORMAT or record.get("model") != model_key:
        raise StoreError(f"{path} is no calibration of {model_key} of format {FORMAT}. {AGAIN}")
    try:
        curves = [ProbabilityCurve.from_dict(record[name]) for name in ("plain", "scene")]
        return StoredCalibration(Calibration(*curves), model_key, int(record["generation"]), dict(record["facts"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{path} is damaged: {error}. {AGAIN}") from error
