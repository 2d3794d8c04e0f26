"""Where things are and how far a job may go: one frozen record, read from the environment only when asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from image_similarity.errors import UsageError

if TYPE_CHECKING:
    from image_similarity.dataset import Dataset

ENVIRONMENT = {
    "root": "IMAGE_SIMILARITY_WORKSPACE",
    "image_address": "IMAGE_SIMILARITY_IMAGE_ADDRESS",
    "weights_address": "IMAGE_SIMILARITY_WEIGHTS_ADDRESS",
    "hub_address": "IMAGE_SIMILARITY_HUB_ADDRESS",
    "models": "IMAGE_SIMILARITY_MODELS",
    "s3_endpoint": "IMAGE_SIMILARITY_S3_ENDPOINT",
    "max_pixels": "IMAGE_SIMILARITY_MAX_PIXELS",
    "service_max_pixels": "IMAGE_SIMILARITY_SERVICE_MAX_PIXELS",
    "precision": "IMAGE_SIMILARITY_PRECISION",
    "max_removal": "IMAGE_SIMILARITY_MAX_REMOVAL",
    "lock_timeout": "IMAGE_SIMILARITY_LOCK_TIMEOUT",
}
"""The environment variable behind each setting that has one."""
MOST_FILE_BYTES = 200_000_000
LONGEST_WAIT = 86_400  # seconds
PRECISIONS = ("auto", "fp32", "bf16")  # int8 is not one: it is calibrated and checked, and so asked for each time


@dataclass(frozen=True, slots=True)
class TableLimits:
    """How large a table may be, once unpacked: a file of a kilobyte can hold gigabytes."""

    unpacked_bytes: int = 500_000_000_000
    rows: int = 1_000_000_000
    columns: int = 10_000
    cell_bytes: int = 50_000_000
    """Of a text, or of an image inside the table."""
    document_bytes: int = 64_000_000
    """Of one row of a JSON document or of an XML feed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a workspace. The defaults are the first version's addresses and a laptop's limits.

    >>> from image_similarity import Settings, Workspace
    >>> workspace = Workspace(settings=Settings(max_pixels=50_000_000))
    """

    root: Path = Path("data")
    image_address: str = "https://contents.mediadecathlon.com/p{pixl_id}/"
    """Address of one image of a department's listing; ``{pixl_id}`` is filled in."""
    weights_address: str = "https://storage.googleapis.com/tensorflow/keras-applications/"
    """Where Keras keeps its networks' weights; a mirror has the same folders below it."""
    hub_address: str | None = None
    """Another hub of models than Hugging Face's, or a mirror of it; None leaves the choice to ``HF_ENDPOINT``."""
    models: Path | None = None
    """A folder of pulled models, made by ``models pull --to``; read before the workspace's own."""
    s3_endpoint: str | None = None
    """Another S3 than Amazon's; None leaves the choice to the standard AWS settings."""
    max_pixels: int = 100_000_000
    """An image that declares more is refused before it is decoded."""
    service_max_pixels: int = 25_000_000
    """The same for a service, whose images come from strangers; never more than ``max_pixels``."""
    max_download_bytes: int = 50_000_000
    """A download that grows past this is given up."""
    tables: TableLimits = TableLimits()
    """How large a catalogue's tables may be; a service's imports have narrower limits."""
    max_file_bytes: int = MOST_FILE_BYTES
    """An image's file of more bytes is not read."""
    strict: bool = False
    """An image whose file was cut short is refused, however little of it is missing."""
    lock_timeout: float = 30.0
    """Seconds to wait for another process that writes to the feature store."""
    precision: str = "auto"
    """What a dataset without features is computed in where nobody asks: ``fp32``, ``bf16``, or ``auto``: bf16 where
    the processor has it."""
    max_removal: float = 0.1
    """A fit or an extract that would take away a larger share of a dataset's products, and ten at least, stops."""
    config_file: Path = Path("config.py")
    """The first version's file of AWS keys; parsed, never run."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **changes: object) -> Settings:
        """Read the variables of :data:`ENVIRONMENT`, then apply ``changes`` that are not None.

        Raises:
            UsageError: a variable or a change does not fit its setting.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, object] = {
            name: environment[variable] for name, variable in ENVIRONMENT.items() if environment.get(variable)
        }
        values |= {name: value for name, value in changes.items() if value is not None}
        for folder in ("root", "models"):
            if folder in values:
                values[folder] = Path(str(values[folder]))
        for name in ("max_pixels", "service_max_pixels"):
            if name in values:
                try:
                    values[name] = int(str(values[name]))
                except ValueError:
                    raise UsageError(f"{ENVIRONMENT[name]} must be a whole number of pixels") from None
        if "max_removal" in values:
            values["max_removal"] = _share(str(values["max_removal"]), ENVIRONMENT["max_removal"])
        if "lock_timeout" in values:
            values["lock_timeout"] = _seconds(str(values["lock_timeout"]), ENVIRONMENT["lock_timeout"])
        if values.get("precision", "auto") not in PRECISIONS:
            raise UsageError(f"{ENVIRONMENT['precision']} must be one of {', '.join(PRECISIONS)}")
        return replace(cls(), **values)  # type: ignore[arg-type]


def _share(given: str, name: str) -> float:
    with suppress(ValueError):
        if 0 <= (share := float(given)) <= 1:
            return share
    raise UsageError(f"{name} must be a share between 0 and 1, such as 0.1")


def _seconds(given: str, name: str) -> float:
    with suppress(ValueError):
        if 0 <= (seconds := float(given)) <= LONGEST_WAIT:
            return seconds
    raise UsageError(f"{name} must be a number of seconds from 0 to {LONGEST_WAIT}, such as 30")


@dataclass(frozen=True, slots=True)
class Folders:
    """The first version's directories below the workspace's root."""

    root: Path

    def images(self, dataset: Dataset) -> Path:
        """The images of a dataset, as far as they are downloaded."""
        return self.root / "dataset" / dataset.name

    @property
    def database(self) -> Path:
        """The feature store's file."""
        return self.root / "database" / "features.db"

    @property
    def index(self) -> Path:
        """The indexes, a folder for each dataset."""
        return self.root / "index"

    @property
    def trained_models(self) -> Path:
        """The recommendations, for other programs."""
        return self.root / "trained_models"

    @property
    def models(self) -> Path:
        """Embedding models: downloaded weights and the networks built from them."""
        return self.root / "models"


def model_folders(settings: Settings) -> tuple[Path, ...]:
    """Where pulled models may be: the folder that was carried here, then the workspace's own."""
    own = Folders(settings.root).models
    return (own,) if settings.models is None else (settings.models, own)
